//! The page's composition: which component gets which part of the state.

use yew::prelude::*;

use super::App;
use crate::components::{
    Banners, Console, Examples, Header, Help, Inspector, Lanes, Manifests, PaneSwitch, Slider,
    Splitter, StagePane, ToastLine, Transport,
};

/// Notices of this code stand under the editor: they are about the text.
const ASSUMED: &str = "assumed-duration";

impl App {
    /// The full page.
    pub(super) fn view_page(&self) -> Html {
        let ui = &self.ui;
        let send = &self.send;
        let selected = (ui.selected.is_some()).to_string();
        html! {
            <>
                <Header
                    title={self.title()}
                    chapter={self.example().map(|it| it.chapter)}
                    menu={ui.menu}
                    theme={ui.theme}
                    send={send.clone()}
                />
                { self.banners() }
                <PaneSwitch pane={ui.pane} send={send.clone()} />
                <main class="panes" data-pane={ui.pane.word()} data-selected={selected}>
                    <Manifests
                        editor={self.editor.clone()}
                        outline={self.outline.clone()}
                        cursor_line={self.cursor_line}
                        diagnostics={self.diagnostics.clone()}
                        assumed={self.state.notices.iter().filter(|it| it.code == ASSUMED).map(|it| it.message.clone()).collect::<Vec<_>>()}
                        example={self.example().map(|it| (it.lesson, it.hint))}
                        auto_run={ui.auto_run}
                        send={send.clone()}
                    />
                    <Splitter name="--left" label="Width of the editor" />
                    { self.stage() }
                    <Splitter name="--right" label="Width of the inspector" from_right={true} />
                    <Inspector
                        subject={self.subject.clone()}
                        selected={ui.selected.clone()}
                        cluster={self.cluster.clone()}
                        state={self.state.clone()}
                        tab={ui.tab}
                        scores={ui.scores}
                        reason={ui.reason.clone()}
                        send={send.clone()}
                    />
                </main>
                { self.time() }
                <Console
                        open={ui.console}
                        said={self.said.clone()}
                        entered={self.entered.clone()}
                        completed={self.completed.clone()}
                        send={send.clone()}
                    />
                { self.overlays() }
            </>
        }
    }

    /// The compact, read-only clock.
    pub(super) fn view_embed(&self) -> Html {
        html! {
            <>
                { self.banners() }
                <main class="panes">{ self.stage() }</main>
                { self.time() }
                <div class="sr" aria-live="polite">{ &self.ui.announcement }</div>
            </>
        }
    }

    fn example(&self) -> Option<crate::examples::Example> {
        self.opened.example.and_then(crate::examples::find)
    }

    fn banners(&self) -> Html {
        let notices = self.state.notices.iter().filter(|it| it.code != ASSUMED);
        let notices = notices.skip(self.ui.n_notices_read).cloned().collect();
        html! {
            <Banners
                notices={crate::shared::Shared::new(notices)}
                health={self.ui.health.clone()}
                refused={self.ui.refused.clone()}
                send={self.send.clone()}
            />
        }
    }

    fn stage(&self) -> Html {
        let playground = self
            .options
            .embed
            .then(|| AttrValue::from(self.host.address("index.html", &self.options.fragment)));
        html! {
            <StagePane
                cluster={self.cluster.clone()}
                state={self.state.clone()}
                subject={self.subject.clone()}
                stage={self.ui.stage}
                table={self.ui.table}
                filter={AttrValue::from(self.ui.filter.clone())}
                selected={self.ui.selected.clone()}
                reason={self.ui.reason.clone()}
                stale={self.stale}
                loaded={self.loaded}
                playground={playground}
                title={AttrValue::from(self.title())}
                send={self.send.clone()}
            />
        }
    }

    fn time(&self) -> Html {
        let ui = &self.ui;
        let window = self.axis();
        html! {
            <section class="time" aria-label="Time" data-keys="" tabindex="-1">
                <Transport
                    state={self.state.clone()}
                    playing={ui.playing}
                    speed={ui.speed}
                    skip_idle={ui.skip_idle}
                    send={self.send.clone()}
                />
                <div class="lanes">
                    <Slider
                        state={self.state.clone()}
                        {window}
                        n_pending={self.cluster.pending.len()}
                        send={self.send.clone()}
                    />
                    <Lanes
                        lanes={self.lanes.clone()}
                        marks={self.marks.clone()}
                        state={self.state.clone()}
                        {window}
                        colors={self.cluster.colors.clone()}
                        send={self.send.clone()}
                    />
                </div>
            </section>
        }
    }

    fn overlays(&self) -> Html {
        html! {
            <>
                if let Some(toast) = &self.ui.toast {
                    <ToastLine toast={toast.clone()} send={self.send.clone()} />
                }
                if self.ui.help {
                    <Help apple={self.options.apple} send={self.send.clone()} />
                }
                if self.ui.menu == Some(crate::ui::Menu::Examples) {
                    <Examples send={self.send.clone()} />
                }
                <div class="sr" aria-live="polite">{ &self.ui.announcement }</div>
            </>
        }
    }
}
