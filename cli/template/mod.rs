//! What `run new` writes: the projects in `projects/`, which are called `new-project` until they get a name here.
//!
//! They are files like those of any project, so that they can be read and mended where they lie. What is the same in
//! all worlds of a language lies in the language's folder, the rest in a folder for each world below it; the WIT is the
//! world's, whatever the language. `gitignore` has no dot there, as it is not meant for this repository.

mod name;
mod table;

pub(crate) use name::Unsuitable;
pub(crate) use table::{File, Template};
