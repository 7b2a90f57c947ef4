mod fixture;
mod leaks;
mod queries;
