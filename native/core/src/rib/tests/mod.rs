mod fixture;
mod groups;
mod leaks;
mod queries;
mod selection;
mod settling;
mod tombstones;
mod watches;
