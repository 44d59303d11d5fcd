//! Name, title, menus.

use yew::prelude::*;

use super::icon::{Icon, icon};
use super::share_menu::ShareMenu;
use super::{Send, on};
use crate::msg::Msg;
use crate::ui::{Menu, Theme};

#[derive(PartialEq, Properties)]
pub struct Props {
    pub title: String,
    pub chapter: Option<&'static str>,
    pub menu: Option<Menu>,
    pub theme: Theme,
    pub send: Send,
}

/// The bar at the top.
#[component]
pub fn Header(props: &Props) -> Html {
    let send = &props.send;
    let toggle = |menu: Menu| on(send, Msg::Menu((props.menu != Some(menu)).then_some(menu)));
    let open = |menu: Menu| (props.menu == Some(menu)).to_string();
    html! {
        <header class="bar">
            <a class="brand" href="#" aria-label="Orrery, start page">{ logo() }<b>{ "Orrery" }</b></a>
            <div class="menu">
                <button class="ghost" data-testid="examples" aria-haspopup="true" aria-expanded={open(Menu::Examples)} onclick={toggle(Menu::Examples)}>
                    { "Examples" }<span class="car">{ caret() }</span>
                </button>
            </div>
            <div class="title">
                if let Some(chapter) = props.chapter {
                    <span class="crumb">{ chapter }</span>
                }
                <h1>{ &props.title }</h1>
            </div>
            <span class="grow"></span>
            <span class="chip ver">{ "Kubernetes 1.36" }</span>
            <ShareMenu open={props.menu == Some(Menu::Share)} send={send.clone()} />
            <div class="menu">
                <button class="ghost square" data-testid="theme" aria-label="Theme" aria-haspopup="true" aria-expanded={open(Menu::Theme)} onclick={toggle(Menu::Theme)}>
                    { icon(Icon::Theme) }
                </button>
                if props.menu == Some(Menu::Theme) {
                    { themes(props.theme, send) }
                }
            </div>
            <button class="ghost square" data-testid="help" aria-label="Keyboard shortcuts" onclick={on(send, Msg::Help(true))}>
                { "?" }
            </button>
        </header>
    }
}

fn themes(current: Theme, send: &Send) -> Html {
    let item = |theme: Theme, label: &'static str| {
        html! {
            <button class="item" role="menuitemradio" aria-checked={(current == theme).to_string()} onclick={on(send, Msg::Theme(theme))}>
                { label }
            </button>
        }
    };
    html! {
        <div class="drop right" role="menu" aria-label="Theme">
            { item(Theme::Auto, "As the system") }
            { item(Theme::Light, "Light") }
            { item(Theme::Dark, "Dark") }
        </div>
    }
}

/// The small arrow of a button that opens a menu.
pub fn caret() -> Html {
    icon(Icon::Down)
}

fn logo() -> Html {
    html! {
        <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
            <g fill="none" stroke="currentColor" stroke-width="1.6">
                <circle cx="16" cy="16" r="13.2" />
                <ellipse cx="16" cy="16" rx="13.2" ry="5" transform="rotate(-28 16 16)" />
                <circle cx="16" cy="16" r="6.4" />
            </g>
            <circle cx="16" cy="16" r="3.2" fill="currentColor" />
            <circle cx="26.4" cy="8" r="2.2" fill="currentColor" />
            <circle cx="9.9" cy="18" r="1.7" fill="currentColor" />
        </svg>
    }
}
