//! What plugins keep from one extension point to the next within one attempt.
//!
//! Upstream: `pkg/scheduler/framework/cycle_state.go`, v1.36.
//! Differs from upstream: values are found by their type, there are no string keys.

use std::any::{Any, TypeId};

/// A value that can be copied together with the state.
trait StateData: Any + Send + Sync {
    fn boxed_clone(&self) -> Box<dyn StateData>;
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<T: Any + Clone + Send + Sync> StateData for T {
    fn boxed_clone(&self) -> Box<dyn StateData> {
        Box::new(self.clone())
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// The state of one attempt: one value for each type, and which plugins skip.
#[derive(Default)]
pub struct CycleState {
    values: Vec<(TypeId, Box<dyn StateData>)>,
    /// Plugins whose Filter need not run.
    pub skip_filter: Vec<&'static str>,
    /// Plugins whose Score need not run.
    pub skip_score: Vec<&'static str>,
}

impl Clone for CycleState {
    fn clone(&self) -> Self {
        Self {
            values: self.values.iter().map(|(id, it)| (*id, (**it).boxed_clone())).collect(),
            skip_filter: self.skip_filter.clone(),
            skip_score: self.skip_score.clone(),
        }
    }
}

impl CycleState {
    /// Keeps a value; one of the same type is replaced.
    pub fn write<T: Any + Clone + Send + Sync>(&mut self, value: T) {
        let id = TypeId::of::<T>();
        self.values.retain(|(it, _)| *it != id);
        self.values.push((id, Box::new(value)));
    }

    /// The value of a type.
    #[must_use]
    pub fn read<T: Any>(&self) -> Option<&T> {
        let id = TypeId::of::<T>();
        let (_, value) = self.values.iter().find(|(it, _)| *it == id)?;
        (**value).as_any().downcast_ref()
    }

    /// The value of a type, for change.
    pub fn read_mut<T: Any>(&mut self) -> Option<&mut T> {
        let id = TypeId::of::<T>();
        let (_, value) = self.values.iter_mut().find(|(it, _)| *it == id)?;
        (**value).as_any_mut().downcast_mut()
    }
}
