// The SQL editor: CodeMirror with KDA's and Flink's words, the application's streams and columns, and marks of problems.

import * as cm from "./vendor/codemirror.js";

const { tags: t } = cm;
const COLOURS = cm.HighlightStyle.define([
  { tag: [t.keyword, t.operatorKeyword, t.modifier], color: "var(--s1)", fontWeight: "600" },
  { tag: [t.string, t.special(t.string)], color: "var(--s3)" },
  { tag: [t.number, t.bool, t.null], color: "var(--s5)" },
  { tag: [t.lineComment, t.blockComment], color: "var(--muted)", fontStyle: "italic" },
  { tag: [t.typeName, t.standard(t.name)], color: "var(--s2)" },
]);

const THEME = cm.EditorView.theme({
  "&": { fontSize: "13px", height: "100%", color: "var(--ink)", backgroundColor: "var(--card)" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--accent)", padding: "8px 0" },
  ".cm-cursor": { borderLeftColor: "var(--accent)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--card)", color: "var(--muted)", border: "none", opacity: ".85" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--soft) 55%, transparent)" },
  "&.cm-focused": { outline: "none" },
  "& .cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--accent) 22%, transparent) !important" },
  ".cm-selectionMatch": { backgroundColor: "var(--accent-soft)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--line)" },
  ".cm-placeholder": { color: "var(--muted)" },
  ".cm-tooltip": { backgroundColor: "var(--card)", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "8px", boxShadow: "0 8px 28px rgb(0 0 0 / .18)", overflow: "hidden" },
  ".cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "12.5px", maxHeight: "16em" },
  ".cm-tooltip-autocomplete > ul > li": { padding: "3px 10px" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent-soft)", color: "var(--ink)" },
  ".cm-completionDetail": { color: "var(--muted)", fontStyle: "normal", marginLeft: "1em" },
  ".cm-completionInfo": { padding: "8px 12px", maxWidth: "360px", fontFamily: "var(--sans)", fontSize: "12.5px" },
  ".cm-completionMatchedText": { textDecoration: "none", color: "var(--accent)", fontWeight: "600" },
  ".cm-diagnostic": { padding: "6px 12px", whiteSpace: "pre-wrap", maxWidth: "70ch", fontFamily: "var(--sans)", fontSize: "13px" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--bad)" },
  ".cm-diagnostic-info": { borderLeft: "3px solid var(--s1)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--bad) 1.3px", textUnderlineOffset: "3px" },
  ".cm-lintRange-info": { backgroundImage: "none", textDecoration: "underline dotted var(--s1) 1.5px", textUnderlineOffset: "3px" },
  ".cm-gutter-lint": { width: "14px" },
  ".cm-gutter-lint .cm-gutterElement": { padding: "0 2px" },
  ".cm-lint-marker": { width: "9px", height: "9px", marginTop: "6px", borderRadius: "50%", content: "normal" },
  ".cm-lint-marker-error": { content: "normal !important", backgroundColor: "var(--bad)" },
  ".cm-lint-marker-info": { content: "normal !important", backgroundColor: "var(--s1)" },
  ".cm-panels": { backgroundColor: "var(--soft)", color: "var(--ink)", borderColor: "var(--line)" },
  ".cm-panel input, .cm-panel button": { color: "var(--ink)", background: "var(--card)", border: "1px solid var(--line)", borderRadius: "5px" },
  ".cm-searchMatch": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--accent)" },
  ".cm-changedLine": { backgroundColor: "color-mix(in srgb, var(--good-soft) 80%, transparent) !important" },
  ".cm-deletedChunk": { backgroundColor: "var(--bad-soft) !important" },
  ".cm-changedText": { background: "color-mix(in srgb, var(--good) 28%, transparent) !important" },
  ".cm-deletedChunk .cm-deletedText": { background: "color-mix(in srgb, var(--bad) 26%, transparent) !important" },
  ".cm-collapsedLines:before, .cm-collapsedLines:after": { content: "'⋯' !important", color: "var(--muted)" },
  ".cm-collapsedLines": { color: "var(--muted)", background: "var(--soft)", padding: "4px 10px" },
});

const language = (words) => {
  const dialect = cm.SQLDialect.define({
    keywords: words.keywords.join(" ").toLowerCase(), types: words.types.join(" ").toLowerCase(), builtin: words.functions.map((f) => f.name).join(" ").toLowerCase(),
    identifierQuotes: words.quote, doubleQuotedStrings: false, hashComments: false, slashComments: false, operatorChars: "*+-%<>!=&|^/~?",
  });
  return cm.sql({ dialect });
};

// In a shadow root, its styles are sheets that a script adopts: the page's policy forbids style elements.
function frame(parent, className) {
  const host = document.createElement("div");
  host.className = className;
  parent.append(host);
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(":host { display: block; } .place { height: 100%; } .cm-editor { height: 100%; }");
  root.adoptedStyleSheets = [sheet];
  const place = document.createElement("div");
  place.className = "place";
  root.append(place);
  return { host, root, place };
}

export class Editor {
  // `words`: keywords, types, functions, quote ("\"" or "`"); `changed` gets the text at each change.
  constructor(parent, { label, words, changed }) {
    this.words = words;
    this.relations = [];
    this.silent = false;
    this.readOnly = new cm.Compartment();
    this.changed = changed;
    const { host, root, place } = frame(parent, "editor");
    this.host = host;
    this.extensions = [
      cm.lineNumbers(), cm.lintGutter(), cm.highlightSpecialChars(), cm.history(), cm.drawSelection(), cm.indentOnInput(), cm.bracketMatching(),
      cm.closeBrackets(), cm.highlightActiveLine(), cm.highlightActiveLineGutter(), cm.highlightSelectionMatches(), cm.search({ top: true }),
      cm.EditorView.lineWrapping, THEME, cm.syntaxHighlighting(COLOURS), language(words), this.readOnly.of([]),
      cm.placeholder("CREATE OR REPLACE STREAM … Write SQL, paste it, or use a template."),
      cm.autocompletion({ override: [(context) => this.complete(context)], icons: false }),
      // Tab leaves the editor, as it leaves every field; Ctrl-Space completes, Enter takes the completion.
      cm.keymap.of([...cm.closeBracketsKeymap, ...cm.defaultKeymap, ...cm.searchKeymap, ...cm.historyKeymap, ...cm.completionKeymap, ...cm.lintKeymap]),
      cm.EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", autocorrect: "off", autocapitalize: "off" }),
      cm.EditorView.updateListener.of((update) => {
        if (update.docChanged && !this.silent) this.changed(update.state.doc.toString());
      }),
    ];
    this.view = new cm.EditorView({ parent: place, root, state: this.fresh("") });
  }

  fresh(text) {
    return cm.EditorState.create({ doc: text, extensions: this.extensions });
  }

  get text() { return this.view.state.doc.toString(); }

  // Replaces the text, and keeps the cursor if possible. `anew`: it is another file, so the undo history is dropped.
  set(text, anew = false) {
    if (!anew && text === this.text) return;
    this.silent = true;
    const editable = this.view.state.readOnly;
    if (anew) this.view.setState(this.fresh(text));
    else {
      const at = Math.min(this.view.state.selection.main.head, text.length);
      this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text }, selection: { anchor: at } });
    }
    this.silent = false;
    if (anew) this.lock(editable);
  }

  lock(locked) {
    this.view.dispatch({ effects: this.readOnly.reconfigure(locked ? [cm.EditorState.readOnly.of(true)] : []) });
  }

  insert(text) {
    const { from, to } = this.view.state.selection.main;
    const before = from > 0 && this.view.state.sliceDoc(from - 1, from) !== "\n" ? "\n" : "";
    const insert = `${before}${text}\n`;
    this.view.dispatch({ changes: { from, to, insert }, selection: { anchor: from + insert.length }, scrollIntoView: true });
    this.view.focus();
  }

  place(line, column) {
    const { doc } = this.view.state;
    const at = doc.line(Math.max(1, Math.min(line || 1, doc.lines)));
    return Math.min(at.from + Math.max(0, (column || 1) - 1), at.to);
  }

  mark(problems) {
    const marks = problems.filter((p) => p.line).map((p) => {
      const from = this.place(p.line, p.column);
      let to = p.end_line ? this.place(p.end_line, p.end_column) : from;
      // A problem without an end marks the word at its start.
      if (to <= from) to = this.view.state.wordAt(from)?.to ?? Math.min(from + 1, this.view.state.doc.length);
      return { from, to, severity: p.severity === "note" ? "info" : "error", message: [p.message, p.hint].filter(Boolean).join("\n") };
    });
    this.view.dispatch(cm.setDiagnostics(this.view.state, marks.sort((a, b) => a.from - b.from)));
  }

  go(line, column) {
    const at = this.place(line, column);
    this.view.dispatch({ selection: { anchor: at }, effects: cm.EditorView.scrollIntoView(at, { y: "center" }) });
    this.view.focus();
  }

  complete(context) {
    const { quote } = this.words;
    const word = context.matchBefore(quote === '"' ? /["\w.$]+/ : /[`\w.$]+/);
    if (!word && !context.explicit) return null;
    const text = word?.text ?? "", dot = text.lastIndexOf(".");
    const plain = (name) => name.replaceAll(quote, "");
    const named = (name) => ((quote === '"' ? /^[A-Z_][A-Z0-9_]*$/ : /^[A-Za-z_]\w*$/).test(name) && !text.slice(dot + 1).startsWith(quote) ? name : `${quote}${name}${quote}`);
    const column = (c, relation) => ({ label: named(c.name), type: "property", detail: `${c.type}${relation ? `, ${relation}` : ""}`, boost: 2 });
    const from = (word?.from ?? context.pos) + dot + 1;
    const to = context.state.sliceDoc(context.pos, context.pos + 1) === quote && text.slice(dot + 1).startsWith(quote) ? context.pos + 1 : context.pos;
    if (dot >= 0) {
      const relation = this.relations.find((r) => r.name.toLowerCase() === plain(text.slice(0, dot)).toLowerCase());
      return relation ? { from, to, options: relation.columns.map((c) => column(c)) } : null;
    }
    const columns = new Map(this.relations.flatMap((r) => r.columns.map((c) => [c.name, column(c, r.name)])));
    const options = [
      ...columns.values(),
      ...this.relations.map((r) => ({ label: named(r.name), type: "class", detail: r.kind || "stream", boost: 3 })),
      ...this.words.functions.map((f) => ({ label: f.name, type: "function", detail: f.signature?.slice(f.name.length), info: f.help || undefined, apply: `${f.name}(`, boost: 1 })),
      ...this.words.keywords.map((label) => ({ label, type: "keyword" })), ...this.words.types.map((label) => ({ label, type: "type" })),
    ];
    return { from, to, options, validFor: /^["`\w$]*$/ };
  }

  close() { this.view.destroy(); }
}

// The differences of two texts, one below the other.
export function difference(parent, before, after, words) {
  const { root, place } = frame(parent, "diff");
  return new cm.EditorView({
    parent: place, root,
    state: cm.EditorState.create({
      doc: after,
      extensions: [
        cm.lineNumbers(), cm.EditorView.lineWrapping, THEME, cm.syntaxHighlighting(COLOURS), language(words), cm.EditorState.readOnly.of(true), cm.EditorView.editable.of(false),
        cm.unifiedMergeView({ original: before, mergeControls: false, gutter: true, collapseUnchanged: { margin: 3, minSize: 6 } }),
      ],
    }),
  });
}
