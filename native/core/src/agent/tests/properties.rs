//! Random streams, port flaps and lost answers, in any interleaving: in the end the kernel holds what a naive model computes.
use proptest::prelude::*;

use super::world::{Adjacency, Step, World};

fn adjacency() -> impl Strategy<Value = Adjacency> {
    let gateway = prop_oneof![
        3 => (1u8..4).prop_map(|i| vec![10, 0, 0, i]),
        3 => (1u8..4).prop_map(|i| [vec![0xfe, 0x80], vec![0; 13], vec![i]].concat()),
        1 => Just(Vec::new()),
    ];
    (
        0usize..3,
        0usize..2,
        gateway,
        prop_oneof![8 => Just(0u8), 1 => 1u8..4],
    )
        .prop_map(|(owner, port, gateway, kind)| Adjacency {
            owner,
            port,
            gateway,
            kind,
        })
}

pub fn step() -> impl Strategy<Value = Step> {
    let members = prop::collection::vec(
        (
            0u32..6,
            prop_oneof![1u16..4, Just(1000u16)],
            prop::bool::weighted(0.2),
        ),
        0..4,
    );
    prop_oneof![
        3 => (0u32..6, adjacency()).prop_map(|(id, a)| Step::Adjacency(id, a)),
        1 => (0u32..6).prop_map(Step::DropAdjacency),
        6 => (0u32..5, 0u8..5, prop_oneof![8 => Just(0u8), 1 => 1u8..4], members)
            .prop_map(|(id, key, kind, members)| Step::Group(id, key, kind, members)),
        1 => (0u32..5).prop_map(Step::DropGroup),
        12 => (any::<bool>(), 0u8..10, 0u32..5).prop_map(|(v6, p, g)| Step::Route(v6, p, g)),
        3 => (any::<bool>(), 0u8..10).prop_map(|(v6, p)| Step::Withdraw(v6, p)),
        1 => any::<(bool, bool, bool)>().prop_map(|(a, b, c)| Step::Peers(a, b, c)),
        5 => (0usize..3, any::<bool>()).prop_map(|(p, up)| Step::Carrier(p, up)),
        5 => Just(Step::Fact),
        8 => Just(Step::Begin),
        8 => Just(Step::Kernel),
        8 => Just(Step::Done),
        1 => Just(Step::Lose),
        1 => any::<u8>().prop_map(Step::NewStream),
        1 => any::<(bool, bool)>().prop_map(|(wide, backup)| Step::Weights(wide, backup)),
        2 => Just(Step::Save),
        2 => any::<bool>().prop_map(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_kernel_ends_as_the_naive_model_says(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            world.run(step);
        }
        world.finish();
        world.check();
        world.forget_all();
    }
}
