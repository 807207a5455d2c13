//! The interpreter's side of the library: a module that any `CPython` from 3.9 on imports from the file, made of plain
//! functions. What it calls it finds by name in the interpreter that loaded it.

mod api;
mod audit;
mod calls;
mod checksum;
mod draining;
mod exceptions;
mod logs;
mod marks;
mod module;
mod state;
mod threads;
