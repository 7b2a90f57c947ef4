mod fixture;
mod leaks;
mod queries;
mod selection;
mod watches;
