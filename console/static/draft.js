// The draft: stored in the browser at once and at the console a moment later, so that no reload or other tab loses it.

import { get, of, put, remove } from "./api.js";
import { later } from "./dom.js";

const WAIT_MS = 500;
const same = (files, others) => JSON.stringify(files) === JSON.stringify(others);

export class Draft {
  // `changed` is called with each change: of the files, of the state, or by another tab.
  constructor(name, changed) {
    this.name = name;
    this.changed = changed;
    this.document = null;
    this.files = {};
    this.state = "loading"; // kept, keeping, unkept (the console does not answer), conflict
    this.trouble = "";
    this.theirs = null; // the draft of another tab, after a conflict
    this.others = new Set(); // other tabs that have it open
    this.missed = null; // the newest draft of another tab, heard while this one still loaded
    this.key = `kda draft ${name}`;
    this.send = later(() => this.keep(), WAIT_MS);
    this.tab = Math.random().toString(36).slice(2);
    this.channel = new BroadcastChannel(`kda ${name}`);
    this.channel.onmessage = ({ data }) => this.hear(data);
    this.channel.postMessage({ what: "here", from: this.tab });
  }

  get editable() { return Boolean(this.document?.editable); }

  async load() {
    const { ok, body } = await get(of(this.name, "/document"));
    if (!ok) {
      this.state = "failed";
      this.trouble = body.error;
      return this.changed("failed");
    }
    this.document = body;
    this.files = { ...body.files };
    this.state = "kept";
    const typed = this.typed();
    if (typed && this.others.has(typed.from)) {
      // The tab in which it was typed sends it itself.
    } else if (typed && body.editable && !same(typed.files, body.files)) {
      this.files = typed.files;
      if (typed.revision === body.revision) this.keep();
      else this.quarrel(body.files, body.revision);
    } else localStorage.removeItem(this.key);
    // Other tabs don't know yet what a page sent while it was closed.
    if (this.state === "kept") this.tell();
    this.changed("loaded");
    if (this.missed) this.hear(this.missed);
    this.missed = null;
  }

  tell() {
    this.channel.postMessage({ what: "kept", from: this.tab, revision: this.document.revision, files: this.files });
  }

  typed() {
    try {
      return JSON.parse(localStorage.getItem(this.key));
    } catch {
      return null;
    }
  }

  edit(file, text) {
    if (!this.editable || this.files[file] === text) return;
    this.files = { ...this.files, [file]: text };
    this.document.draft = true;
    if (this.state !== "conflict") this.state = "keeping";
    try {
      localStorage.setItem(this.key, JSON.stringify({ files: this.files, revision: this.document.revision, from: this.tab }));
    } catch { /* full: then the console alone keeps it */ }
    if (this.state !== "conflict") this.send();
    this.changed("edited");
  }

  // Sends the draft; true if the console has stored it.
  async keep() {
    this.send.cancel();
    if (this.keeping) return this.keeping.then(() => (this.state === "keeping" ? this.keep() : this.state === "kept"));
    if (this.state === "conflict" || !this.editable) return this.state === "kept";
    const sent = this.files;
    this.keeping = put(of(this.name, "/draft"), { files: sent, revision: this.document.revision });
    const { ok, status, body } = await this.keeping;
    this.keeping = null;
    if (ok) {
      this.document.revision = body.revision;
      this.trouble = "";
      this.channel.postMessage({ what: "kept", from: this.tab, revision: body.revision, files: sent });
      if (this.files === sent) {
        this.state = "kept";
        localStorage.removeItem(this.key);
      } else return this.keep();
    } else if (status === 409) {
      const files = body.files ?? (await get(of(this.name, "/document"))).body.files;
      if (same(files, this.files)) this.agree(body.revision);
      else this.quarrel(files, body.revision);
    } else {
      this.state = "unkept";
      this.trouble = body.error;
      if (status === 0) this.send(); // the console may come back
    }
    this.changed("kept");
    return this.state === "kept";
  }

  quarrel(files, revision) {
    this.state = "conflict";
    this.theirs = { files, revision };
  }

  agree(revision) {
    this.document.revision = revision;
    this.state = "kept";
    this.theirs = null;
    localStorage.removeItem(this.key);
  }

  async settle(mine) {
    const { files, revision } = this.theirs;
    this.theirs = null;
    this.document.revision = revision;
    this.state = "keeping";
    if (!mine) {
      this.files = { ...files };
      this.agree(revision);
      return this.changed("loaded");
    }
    await this.keep();
  }

  // Discards the draft.
  async drop() {
    const { ok, body } = await remove(of(this.name, "/draft"));
    if (!ok) return body.error;
    localStorage.removeItem(this.key);
    await this.load();
    return "";
  }

  hear(message) {
    const { what, from, revision, files } = message;
    if (from === this.tab) return;
    if (what === "here") this.channel.postMessage({ what: "also", from: this.tab });
    if (what === "here" || what === "also") this.others.add(from);
    if (what === "gone") this.others.delete(from);
    if (what === "kept" && !this.document) this.missed = message;
    else if (what === "kept" && revision > this.document.revision) {
      if (same(files, this.files) && !this.keeping) {
        this.send.cancel();
        this.document.draft = true;
        this.agree(revision);
      } else if (this.state === "kept") {
        this.files = { ...files };
        this.document.revision = revision;
        this.document.draft = true;
        return this.changed("loaded");
      } else if (!this.keeping) this.quarrel(files, revision);
    }
    if (what === "saved") this.load();
    this.changed("others");
  }

  close() {
    this.send.cancel();
    if (this.state === "keeping" && !this.keeping) this.keep();
    this.channel.postMessage({ what: "gone", from: this.tab });
    this.channel.close();
  }
}
