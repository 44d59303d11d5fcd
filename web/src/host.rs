//! The JavaScript side, as one object handed in at the start: see `js/host.js`.

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Everything that only JavaScript can do.
    pub type Host;

    /// Hands over the one function that hears everything: (kind, payload).
    #[wasm_bindgen(method)]
    pub fn listen(this: &Host, callback: &Closure<dyn FnMut(String, String)>);
    /// Sends a request to the engine; the answer is heard as `reply`.
    #[wasm_bindgen(method)]
    pub fn ask(this: &Host, request: &str);
    /// Drops the worker; the next request starts a new one.
    #[wasm_bindgen(method)]
    pub fn restart(this: &Host);
    /// Ends a long run where it is; heard as `deaf` if the worker cannot be reached.
    #[wasm_bindgen(method)]
    pub fn stop(this: &Host);
    /// Waits on for a slow answer.
    #[wasm_bindgen(method)]
    pub fn patience(this: &Host);
    /// Heard as `frame` with a time stamp before the next repaint.
    #[wasm_bindgen(method)]
    pub fn frame(this: &Host);
    /// Heard as `later` after a while.
    #[wasm_bindgen(method)]
    pub fn later(this: &Host, ms: u32, payload: &str);

    /// Puts the editor into an element, once.
    #[wasm_bindgen(method, js_name = mountEditor)]
    pub fn mount_editor(this: &Host, element: &web_sys::Element, text: &str);
    /// What was typed so recently that it was not yet heard as `text`; it is not heard again.
    #[wasm_bindgen(method, js_name = takeTyped)]
    pub fn take_typed(this: &Host) -> Option<String>;
    /// Replaces the editor's text; it is not heard back.
    #[wasm_bindgen(method, js_name = setText)]
    pub fn set_text(this: &Host, text: &str);
    /// Underlines problems: JSON of `[Diagnostic]`.
    #[wasm_bindgen(method, js_name = setDiagnostics)]
    pub fn set_diagnostics(this: &Host, json: &str);
    /// Selects a range of UTF-16 offsets and goes there.
    #[wasm_bindgen(method)]
    pub fn reveal(this: &Host, from: u32, to: u32);

    /// Packs a text for a link; heard as `encoded`.
    #[wasm_bindgen(method)]
    pub fn encode(this: &Host, json: &str);
    /// Unpacks; heard as `decoded` or `undecodable`.
    #[wasm_bindgen(method)]
    pub fn decode(this: &Host, payload: &str);
    /// Writes the address bar without a history entry.
    #[wasm_bindgen(method, js_name = setFragment)]
    pub fn set_fragment(this: &Host, fragment: &str);
    /// The full address of a page of this site with a fragment.
    #[wasm_bindgen(method)]
    pub fn address(this: &Host, page: &str, fragment: &str) -> String;
    /// To the clipboard; heard as `copied` with `what`, or `uncopied` with the text.
    #[wasm_bindgen(method)]
    pub fn copy(this: &Host, text: &str, what: &str);
    /// Saves a text as a file.
    #[wasm_bindgen(method)]
    pub fn download(this: &Host, name: &str, text: &str);

    /// Remembers a setting.
    #[wasm_bindgen(method)]
    pub fn store(this: &Host, key: &str, value: &str);
    /// Remembers the text.
    #[wasm_bindgen(method, js_name = saveDraft)]
    pub fn save_draft(this: &Host, text: &str);
    /// `auto`, `light` or `dark`.
    #[wasm_bindgen(method, js_name = setTheme)]
    pub fn set_theme(this: &Host, theme: &str);
    /// The window's title.
    #[wasm_bindgen(method, js_name = setTitle)]
    pub fn set_title(this: &Host, title: &str);
    /// Moves the focus after the next repaint.
    #[wasm_bindgen(method)]
    pub fn focus(this: &Host, selector: &str);
}
