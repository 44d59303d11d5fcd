//! Binds pods through the `binding` subresource.
//!
//! Upstream: `pkg/scheduler/framework/plugins/defaultbinder/default_binder.go`, v1.36.

use api::{Action, Resource as _};

use super::names;
use crate::framework::interface::{BindPlugin, Plugin};
use crate::framework::types::PodInfo;

/// The plugin.
pub struct DefaultBinder;

impl Plugin for DefaultBinder {
    fn name(&self) -> &'static str {
        names::DEFAULT_BINDER
    }
    fn as_bind(&self) -> Option<&dyn BindPlugin> {
        Some(self)
    }
}

impl BindPlugin for DefaultBinder {
    fn bind(&self, pod: &PodInfo, node: &str) -> Option<Action> {
        Some(Action::Bind { pod: pod.pod.object_ref(), node: node.to_owned() })
    }
}
