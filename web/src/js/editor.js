// CodeMirror for YAML in the page's colours. Completion and problems come from the engine.
import { closeBrackets, closeBracketsKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentLess, indentMore } from '@codemirror/commands';
import { yaml } from '@codemirror/lang-yaml';
import { bracketMatching, foldGutter, HighlightStyle, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { lintGutter, setDiagnostics } from '@codemirror/lint';
import { Annotation, Compartment, EditorState } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { isDeep } from './depth.js';

const fromPage = Annotation.define();
const language = new Compartment();
const plain = [];
const languageOf = (lines) => (isDeep(lines) ? plain : yaml());

// A text that is nested very deeply is shown without colours.
const careful = EditorState.transactionFilter.of((transaction) => {
  if (!transaction.docChanged) return transaction;
  const deep = isDeep(transaction.newDoc.iterLines());
  if (deep === (language.get(transaction.startState) === plain)) return transaction;
  return [transaction, { effects: language.reconfigure(deep ? plain : yaml()) }];
});
const TYPING_MS = 150;

const colours = HighlightStyle.define([
  { tag: [tags.definition(tags.propertyName), tags.propertyName], color: 'var(--info)' },
  { tag: [tags.string, tags.content], color: 'var(--ok)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--warn)' },
  { tag: [tags.comment, tags.lineComment], color: 'var(--muted)', fontStyle: 'italic' },
  { tag: [tags.separator, tags.punctuation, tags.meta], color: 'var(--muted)' },
  { tag: [tags.keyword, tags.labelName, tags.typeName], color: 'var(--brass)' },
]);

const look = EditorView.theme({
  '&': { height: '100%', fontSize: '12.5px', backgroundColor: 'transparent', color: 'var(--ink)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.6' },
  '.cm-content': { caretColor: 'var(--brass)', padding: '8px 0' },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--muted)', border: '0' },
  '.cm-gutter-lint': { width: '14px' },
  '.cm-gutter-lint .cm-gutterElement': { padding: '4px 0 0 3px' },
  '.cm-lint-marker': { width: '10px', height: '10px' },
  '.cm-lineNumbers .cm-gutterElement': { minWidth: '32px' },
  '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--brass-bg) 38%, transparent)' },
  '.cm-activeLineGutter': { backgroundColor: 'transparent', color: 'var(--ink)' },
  '.cm-cursor': { borderLeftColor: 'var(--brass)', borderLeftWidth: '2px' },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': {
    backgroundColor: 'color-mix(in srgb, var(--brass-line) 40%, transparent)',
  },
  '.cm-lintRange-error': { backgroundImage: 'none', textDecoration: 'underline wavy var(--bad) 1px', textUnderlineOffset: '3px' },
  '.cm-lintRange-warning': { backgroundImage: 'none', textDecoration: 'underline wavy var(--warn) 1px', textUnderlineOffset: '3px' },
  '.cm-lintRange-info': { backgroundImage: 'none', textDecoration: 'underline dotted var(--muted) 1px', textUnderlineOffset: '3px' },
  '.cm-tooltip': { backgroundColor: 'var(--panel)', border: '1px solid var(--line)', borderRadius: '8px', boxShadow: 'var(--shadow)', color: 'var(--ink)', maxWidth: 'min(420px, 80vw)' },
  '.cm-diagnostic': { fontFamily: 'var(--font)', fontSize: '12px', padding: '6px 10px', borderLeftWidth: '3px' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--bad)' },
  '.cm-diagnostic-warning': { borderLeftColor: 'var(--warn)' },
  '.cm-diagnostic-info': { borderLeftColor: 'var(--info)' },
  '.cm-diagnosticAction': { backgroundColor: 'var(--brass-bg)', color: 'var(--brass)', border: '1px solid var(--brass-line)', borderRadius: '4px', padding: '1px 8px', margin: '0 0 0 8px' },
  '.cm-foldPlaceholder': { backgroundColor: 'var(--sunk)', border: '1px solid var(--line)', color: 'var(--muted)' },
  '.cm-matchingBracket, &.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--brass-bg)' },
});

/** Tab leaves an untouched editor, as the keyboard's users expect; it indents once one has typed. */
function tabRule(touched) {
  const when = (command) => (view) => touched.yes && command(view);
  return keymap.of([
    { key: 'Tab', run: when(indentMore), shift: when(indentLess) },
    { key: 'Escape', run: () => { touched.yes = false; return false; } },
  ]);
}

/** Makes the editor inside `parent`; `emit` hears text (debounced), cursor and paste. */
export function createEditor(parent, text, emit) {
  const touched = { yes: false };
  let timer = 0;
  /** What was typed and not yet heard; it is heard only once. */
  const takeTyped = () => {
    if (timer === 0) return undefined;
    clearTimeout(timer);
    timer = 0;
    return view.state.doc.toString();
  };
  let line = 0;
  const heard = EditorView.updateListener.of((update) => {
    const own = update.transactions.some((it) => it.annotation(fromPage));
    if (update.docChanged && !own) {
      touched.yes = true;
      clearTimeout(timer);
      timer = setTimeout(() => emit('text', takeTyped()), TYPING_MS);
    }
    if (update.selectionSet || update.docChanged) {
      const now = update.state.doc.lineAt(update.state.selection.main.head).number;
      if (now !== line) emit('cursor', String(line = now));
    }
  });
  const extensions = [
    lintGutter(), lineNumbers(), foldGutter(), history(), drawSelection(), bracketMatching(), closeBrackets(),
    highlightActiveLine(), highlightActiveLineGutter(), indentUnit.of('  '),
    EditorState.tabSize.of(2), careful, language.of(languageOf(text.split('\n'))), syntaxHighlighting(colours), look, heard, tabRule(touched),
    keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap]),
    EditorView.contentAttributes.of({ 'aria-label': 'Manifests', tabindex: '0', 'data-testid': 'editor-content' }),
    EditorView.domEventHandlers({ pointerdown: () => { touched.yes = true; } }),
  ];
  const view = new EditorView({ parent, state: EditorState.create({ doc: text, extensions }) });
  const clip = (offset) => Math.min(offset, view.state.doc.length);

  return {
    takeTyped,
    setText(next) {
      clearTimeout(timer);
      timer = 0;
      if (next === view.state.doc.toString()) return;
      view.dispatch({
        changes: { from: 0, to: view.state.doc.length, insert: next },
        selection: { anchor: 0 }, scrollIntoView: true, annotations: fromPage.of(true),
      });
    },
    setDiagnostics(list) {
      view.dispatch(setDiagnostics(view.state, list.map((it) => ({
        from: clip(it.span.start.offset),
        to: clip(Math.max(it.span.end.offset, it.span.start.offset + 1)),
        severity: it.severity,
        message: it.hint ? `${it.message} (${it.hint})` : it.message,
        actions: it.replacement === undefined ? [] : [{
          name: `Use ${it.replacement}`,
          apply: (target, from, to) => target.dispatch({ changes: { from, to, insert: it.replacement } }),
        }],
      }))));
    },
    reveal(from, to) {
      view.dispatch({
        selection: { anchor: clip(from), head: clip(to) },
        effects: EditorView.scrollIntoView(clip(from), { y: 'center' }), annotations: fromPage.of(true),
      });
      view.focus();
    },
  };
}
