//! The page's icons: inline SVG, never a font.

use yew::prelude::*;

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    Start,
    Back,
    Play,
    Pause,
    Step,
    Interesting,
    Check,
    Cross,
    Dot,
    Down,
    Right,
    Theme,
    Taint,
    Lock,
    Off,
    Warning,
    Info,
    Close,
    Open,
}

impl Icon {
    /// Path and whether it is a line instead of a surface.
    fn path(self) -> (&'static str, bool) {
        match self {
            Self::Start => ("M3 3h2v10H3zM13 3v10L6 8z", false),
            Self::Back => ("M12 3v10L4 8z", false),
            Self::Play => ("M4 2.5v11L13.500 8z", false),
            Self::Pause => ("M4 3h3v10H4zM9 3h3v10H9z", false),
            Self::Step => ("M3 3v10l7-5zM11 3h2v10h-2z", false),
            Self::Interesting => ("M2 3v10l5-5zM7 3v10l5-5zM12.500 3h1.800v10h-1.800z", false),
            Self::Check => ("M3 8.500l3.300 3.300L13 4.500", true),
            Self::Cross => ("M4 4l8 8M12 4l-8 8", true),
            Self::Dot => ("M7 8h2", true),
            Self::Down => ("M3 6l5 5 5-5", true),
            Self::Right => ("M6 3l5 5-5 5", true),
            Self::Theme => (
                "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zm0 1.400v9.200a4.600 4.600 0 0 1 0-9.200z",
                false,
            ),
            Self::Taint => ("M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM4.500 8h7", true),
            Self::Lock => ("M5 7V5a3 3 0 0 1 6 0v2M4 7h8v6H4z", true),
            Self::Off => ("M8 2v6M4.500 4.500a5 5 0 1 0 7 0", true),
            Self::Warning => ("M8 2.500L14 13.500H2zM8 6.500v3M8 11.300v.600", true),
            Self::Info => ("M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 7.200v4M8 4.600v.600", true),
            Self::Close => ("M4 4l8 8M12 4l-8 8", true),
            Self::Open => ("M6 3H3v10h10v-3M9 3h4v4M13 3L7 9", true),
        }
    }
}

/// An icon without a meaning of its own: what it says must stand beside it or in a label.
pub fn icon(it: Icon) -> Html {
    let (path, line) = it.path();
    if line {
        html! {
            <svg class="i" viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.7">
                <path d={path} fill="none" />
            </svg>
        }
    } else {
        html! { <svg class="i" viewBox="0 0 16 16" aria-hidden="true"><path d={path} /></svg> }
    }
}

/// An icon with a meaning, read out as `label`.
pub fn meaning(it: Icon, label: &'static str) -> Html {
    html! { <>{ icon(it) }<span class="sr">{ label }</span></> }
}
