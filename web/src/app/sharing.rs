//! Links: packing the page's state, and what is done with the packed link.

use view::{LinkFile, LinkState};

use super::{App, Opened};
use crate::link;
use crate::msg::Share;
use crate::protocol::Op;
use crate::ui::{Tab, Toast};

impl App {
    /// All that a link restores.
    fn link_state(&self) -> LinkState {
        LinkState {
            files: vec![LinkFile { name: "scenario.yaml".to_owned(), text: self.text.clone() }],
            preset: self.opened.preset.clone(),
            seed: self.opened.seed,
            actions: self.opened.actions.clone(),
            cursor_ms: self.state.now_ms,
            selection: self.ui.selected.clone(),
            panel: (self.ui.tab != Tab::Explain).then(|| self.ui.tab.word().to_owned()),
        }
    }

    /// Packs the link; [`App::packed`] goes on.
    pub(super) fn pack(&self) {
        if self.options.embed {
            return;
        }
        if let Ok(json) = serde_json::to_string(&self.link_state()) {
            self.host.encode(&json);
        }
    }

    pub(super) fn share(&mut self, share: Share) {
        self.ui.menu = None;
        match share {
            Share::Yaml => return self.host.download("scenario.yaml", &self.text),
            Share::Cluster | Share::Kwok => {
                let target = if share == Share::Kwok { "kwok" } else { "cluster" };
                self.ask(Op::Export { target }, false);
                return;
            }
            Share::Link | Share::Markdown | Share::Embed => {}
        }
        self.share_next = Some(share);
        self.pack();
    }

    pub(super) fn packed(&mut self, payload: &str) {
        self.fragment = link::packed(payload);
        self.host.set_fragment(&self.fragment);
        let Some(share) = self.share_next.take() else { return };
        let title = self.title();
        let page = |page: &str| self.host.address(page, &self.fragment);
        match share {
            Share::Link => self.host.copy(&page("index.html"), "Link"),
            Share::Markdown => {
                self.host.copy(&format!("[{title}]({})", page("index.html")), "Markdown link");
            }
            Share::Embed => {
                let title = title.replace('"', "&quot;");
                let frame = format!(
                    "<iframe src=\"{}\" title=\"{title}\" width=\"100%\" height=\"420\" loading=\"lazy\"></iframe>",
                    page("embed.html")
                );
                self.host.copy(&frame, "Embed code");
            }
            Share::Yaml | Share::Cluster | Share::Kwok => {}
        }
    }

    pub(super) fn copied(&mut self, what: &str) {
        self.ui.toast = Some(Toast { text: format!("{what} copied."), undo: None });
        self.host.later(2500, "toast");
    }

    /// A link was unpacked.
    pub(super) fn unpacked(&mut self, json: &str) {
        let link: LinkState = match serde_json::from_str(json) {
            Ok(link) => link,
            Err(error) => return self.refuse_link(&error.to_string()),
        };
        self.ui.select(link.selection.clone());
        self.ui.tab = Tab::of_word(link.panel.as_deref().unwrap_or_default());
        let opened = Opened {
            text: link::text_of(&link),
            seed: link.seed,
            preset: link.preset,
            actions: link.actions,
            example: None,
        };
        self.open_text(opened, link.cursor_ms);
    }

    pub(super) fn refuse_link(&mut self, why: &str) {
        self.ui.refused = Some(format!("This link is damaged and could not be read: {why}."));
        if self.text.is_empty() {
            self.open_first();
        }
    }

    /// The scenario's title: of the untouched example, the first comment, or the Scenario document.
    pub(super) fn title(&self) -> String {
        let example = self.opened.example.and_then(crate::examples::find);
        let comment = || {
            let first = self.text.lines().next()?.strip_prefix("# ")?;
            Some(first.trim().to_owned()).filter(|it| !it.is_empty())
        };
        let named = || Some(self.state.title.clone()).filter(|it| !it.is_empty());
        example
            .map(|it| it.title.to_owned())
            .or_else(comment)
            .or_else(named)
            .unwrap_or_else(|| "Untitled scenario".to_owned())
    }
}
