//! Holds the projects that `run new` writes. In `projects/` they are called `new-project`; here they get
//! their names.
//!
//! They are files like those of any project, so they can be read and edited in place. Files that are the same
//! in all worlds of a language lie in the language's folder, and the others in a folder for each world below
//! it. The WIT depends on the world only. `gitignore` has no dot there, because it is not meant for this
//! repository.

mod name;
mod table;

pub(crate) use name::Unsuitable;
pub(crate) use table::{File, Template};
