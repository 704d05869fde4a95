//! The proof of the question side: classes, committed schemas, cursors, answers of a hub made by hand.

mod sdl;
