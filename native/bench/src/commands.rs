//! Commands, one a line, and their answers, one JSON object a line.
//!
//! - `status`: nanoseconds of processor time used, and every session's state and counts
//! - `send NAME FILE`: whole messages, behind what is being sent; read into memory first
//! - `load NAME FILE`, then `go NAME...`: several begin at one instant
//! - `mark NAME...`: forget what was received until now
//! - `close NAME reset|fin`: without a NOTIFICATION, as a peer that dies
//! - `check NAME FILE [prepend=ASN] [next_hop=ADDRESS[,ADDRESS]] [ignore=CODE[,CODE]]`: is what was received the table
//!   of FILE, as a router with these tells it?
//! - `quit`

use std::fmt::Write;
use std::net::IpAddr;

use crate::clock;
use crate::fold::{compare, fold, Rewrite, Sets};
use crate::session::{Session, State};
use crate::wire::messages;

pub enum Answer {
    Line(String),
    Quit,
}

pub fn run(line: &str, sessions: &mut [Session]) -> Answer {
    let words: Vec<&str> = line.split_whitespace().collect();
    let done = match words[..] {
        ["quit"] => return Answer::Quit,
        ["status"] => Ok(status(sessions)),
        ["send", name, file] => load(file).and_then(|octets| send(name, octets, sessions)),
        ["load", name, file] => load(file).and_then(|octets| {
            let size = octets.len();
            named(name, sessions)?.loaded.push(octets);
            Ok(format!("{{\"octets\":{size}}}"))
        }),
        ["go", ref names @ ..] => go(names, sessions),
        ["mark", ref names @ ..] => names
            .iter()
            .try_for_each(|name| named(name, sessions).map(Session::mark))
            .map(|()| "{}".to_string()),
        ["close", name, how @ ("reset" | "fin")] => named(name, sessions).map(|session| {
            let at = clock::now();
            session.close(how == "reset");
            format!("{{\"at\":{at}}}")
        }),
        ["check", name, file, ref options @ ..] => {
            named(name, sessions).and_then(|session| check(session, file, options))
        }
        _ => Err(format!("no such command: {}", line.trim())),
    };
    Answer::Line(done.unwrap_or_else(|error| format!("{{\"error\":{}}}", quoted(&error))))
}

fn named<'a>(name: &str, sessions: &'a mut [Session]) -> Result<&'a mut Session, String> {
    sessions
        .iter_mut()
        .find(|session| session.spec.name == name)
        .ok_or_else(|| format!("no session is named {name}"))
}

fn load(file: &str) -> Result<Vec<u8>, String> {
    let octets = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    messages(&octets)
        .try_for_each(|message| message.map(drop))
        .map_err(|error| format!("{file}: {error}"))?;
    Ok(octets)
}

fn established<'a>(name: &str, sessions: &'a mut [Session]) -> Result<&'a mut Session, String> {
    let session = named(name, sessions)?;
    match session.state {
        State::Established => Ok(session),
        _ => Err(format!("the session {name} is not up")),
    }
}

fn send(name: &str, octets: Vec<u8>, sessions: &mut [Session]) -> Result<String, String> {
    let size = octets.len();
    established(name, sessions)?.send(octets);
    Ok(format!("{{\"octets\":{size}}}"))
}

fn go(names: &[&str], sessions: &mut [Session]) -> Result<String, String> {
    for name in names {
        if established(name, sessions)?.loaded.is_empty() {
            return Err(format!("nothing is loaded for {name}"));
        }
    }
    let at = clock::now();
    for name in names {
        let session = named(name, sessions)?;
        std::mem::take(&mut session.loaded)
            .into_iter()
            .for_each(|octets| session.send(octets));
    }
    Ok(format!("{{\"at\":{at}}}"))
}

fn status(sessions: &[Session]) -> String {
    let mut out = format!("{{\"cpu\":{},\"sessions\":{{", clock::used());
    for (index, session) in sessions.iter().enumerate() {
        let state = match session.state {
            State::Established => "established",
            State::Closed => "closed",
            State::Idle(_) | State::Connecting | State::Opening(_) => "opening",
        };
        let error = session.error.as_deref().map_or("null".to_string(), quoted);
        let c = &session.counts;
        let _ = write!(
            out,
            "{}{}:{{\"state\":\"{state}\",\"error\":{error},\"sent\":{},\"sending\":{},\"first_sent\":{},\"last_sent\":{},\
             \"received\":{},\"updates\":{},\"first_update\":{},\"last_update\":{},\"end_of_rib\":{}}}",
            if index > 0 { "," } else { "" },
            quoted(&session.spec.name),
            c.sent,
            session.is_sending(),
            c.first_sent,
            c.last_sent,
            session.record.octets(),
            c.updates,
            c.first_update,
            c.last_update,
            c.end_of_rib,
        );
    }
    out + "}}"
}

fn check(session: &Session, file: &str, options: &[&str]) -> Result<String, String> {
    let rewrite = rewrite(options)?;
    let own = Rewrite {
        ignore: rewrite.ignore.clone(),
        ..Rewrite::default()
    };
    let mut sets = Sets::default();
    let found = fold(session.record.messages(), &mut sets, &own)
        .map_err(|error| format!("received: {error}"))?;
    let octets = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    let wanted = fold(&octets, &mut sets, &rewrite).map_err(|error| format!("{file}: {error}"))?;
    let difference = compare(&found, &wanted, &sets);
    let final_at = found.changed.and_then(|end| session.record.time_of(end));
    Ok(format!(
        "{{\"equal\":{},\"prefixes\":{},\"missing\":{},\"extra\":{},\"different\":{},\"examples\":[{}],\"final_at\":{}}}",
        difference.is_none(),
        difference.prefixes,
        difference.missing,
        difference.extra,
        difference.different,
        difference.examples.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(","),
        final_at.map_or("null".to_string(), |at| at.to_string()),
    ))
}

fn rewrite(options: &[&str]) -> Result<Rewrite, String> {
    let mut rewrite = Rewrite::default();
    for option in options {
        let bad = || format!("cannot be understood: {option}");
        match option.split_once('=').ok_or_else(bad)? {
            ("prepend", asn) => rewrite.prepend = Some(asn.parse().map_err(|_| bad())?),
            ("next_hop", addresses) => {
                for address in addresses.split(',') {
                    match address.parse().map_err(|_| bad())? {
                        IpAddr::V4(address) => rewrite.next_hop = Some(address.octets()),
                        IpAddr::V6(address) => rewrite.next_hop_ipv6 = Some(address.octets()),
                    }
                }
            }
            ("ignore", codes) => {
                rewrite.ignore = codes
                    .split(',')
                    .map(|code| code.parse().map_err(|_| bad()))
                    .collect::<Result<_, _>>()?;
            }
            _ => return Err(bad()),
        }
    }
    Ok(rewrite)
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if letter.is_control() => {
                let _ = write!(out, "\\u{:04x}", letter as u32);
            }
            letter => out.push(letter),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_check() {
        let rewrite = rewrite(&[
            "prepend=65001",
            "next_hop=10.9.0.1,2001:db8::1",
            "ignore=4,35",
        ])
        .unwrap();
        assert_eq!(
            (rewrite.prepend, rewrite.next_hop, &rewrite.ignore[..]),
            (Some(65001), Some([10, 9, 0, 1]), &[4, 35][..])
        );
        assert_eq!(rewrite.next_hop_ipv6.unwrap()[..4], [0x20, 1, 0xd, 0xb8]);
        assert!(super::rewrite(&["prepend=x"]).is_err() && super::rewrite(&["med"]).is_err());
    }

    #[test]
    fn what_is_wrong_is_an_answer() {
        let Answer::Line(answer) = run("fly \"high\"", &mut []) else {
            panic!()
        };
        assert_eq!(answer, r#"{"error":"no such command: fly \"high\""}"#);
        let Answer::Line(answer) = run("mark s0", &mut []) else {
            panic!()
        };
        assert_eq!(answer, r#"{"error":"no session is named s0"}"#);
        assert!(matches!(run("quit\n", &mut []), Answer::Quit));
        assert_eq!(quoted("a\nb"), "\"a\\u000ab\"");
    }
}
