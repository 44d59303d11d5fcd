//! Keeps the text of a panic, since the trap that follows tells nothing.

use std::cell::RefCell;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on, the text of a panic is kept.
pub(crate) fn set_hook() {
    std::panic::set_hook(Box::new(|info| {
        let text = info.to_string();
        LAST.with(|it| *it.borrow_mut() = Some(text));
    }));
}

/// The text of the last panic.
pub(crate) fn last() -> Option<String> {
    LAST.with(|it| it.borrow().clone())
}
