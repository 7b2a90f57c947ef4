mod fixture;
mod leaks;
