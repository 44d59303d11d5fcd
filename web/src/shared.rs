//! A shared value that is equal only to itself: what the components take as props.

use std::ops::Deref;
use std::rc::Rc;

/// An `Rc` that compares by identity, so that an unchanged part of the page is skipped without
/// looking into it.
#[derive(Debug, Default)]
pub struct Shared<T: ?Sized>(Rc<T>);

impl<T> Shared<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Self(Rc::new(value))
    }
}

impl<T: ?Sized> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T: ?Sized> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl<T: ?Sized> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_in_two_places_are_not_the_same() {
        let one = Shared::new(7);
        assert_eq!(one, one.clone());
        assert_ne!(one, Shared::new(7));
    }
}
