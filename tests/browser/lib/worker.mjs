// Talks to the engine by its protocol (core/src/protocol.rs), from an empty page of the same site: to the tab's worker, or over a
// socket to the computer that serves the page. So tests of the engine do not depend on the interface.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DIST } from './paths.mjs';

/** News after which more follows for the same request. */
const MORE = new Set([
  'begun', 'loading', 'runs', 'traced', 'map-row', 'lens', 'redundancy', 'loss', 'study-header', 'fact', 'study-redundancy',
  'study-edit', 'progress',
]);

/** The empty page's path. */
const BLANK = 'worker-test.html';
/** A script that does something before it starts the worker's own. */
const BEFORE = 'worker-test.js';

const PAGE = `<!doctype html><html lang="en"><title>worker</title><link rel="icon" href="data:,"><input type="file" id="files" multiple></html>`;

const SCRIPT = `
  function base64(bytes) {
    let text = '';
    for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return btoa(text);
  }
  const plain = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const lost = message => heard(JSON.stringify({ id: 0, news: { fatal: { kind: 'crash', message } } }), null);

  let worker;
  function begin(url) {
    worker = new Worker(url, { type: 'module' });
    worker.onmessage = ({ data: { json, bytes } }) => heard(json, bytes ? base64(bytes) : null);
    worker.onerror = event => {
      event.preventDefault();
      lost(event.message || 'no script');
    };
  }

  // Frames of core/src/protocol/frame.rs.
  const JOIN = 0, REQUEST = 1, SEEN = 2, JOINED = 3, MESSAGE = 4;
  let socket;
  function frame(kind, number, head, bytes) {
    const text = new TextEncoder().encode(head);
    const whole = new Uint8Array(16 + text.length + bytes.length);
    const view = new DataView(whole.buffer);
    view.setUint8(0, 1);
    view.setUint8(1, kind);
    view.setUint32(4, text.length, true);
    view.setBigUint64(8, BigInt(number), true);
    whole.set(text, 16);
    whole.set(bytes, 16 + text.length);
    socket.send(whole);
  }
  function dial(token) {
    const none = new Uint8Array();
    socket = new WebSocket(location.origin.replace('http', 'ws') + '/engine/socket', ['engram.1', 'engram.token.' + token]);
    socket.binaryType = 'arraybuffer';
    const joined = new Promise((done, fail) => {
      socket.onopen = () => frame(JOIN, 0, '{}', none);
      socket.onclose = event => {
        fail(new Error('closed: ' + event.code));
        lost('closed: ' + event.code);
      };
      socket.onmessage = ({ data }) => {
        const view = new DataView(data);
        const end = 16 + view.getUint32(4, true);
        const kind = view.getUint8(1);
        if (kind === JOINED) return done();
        if (kind !== MESSAGE) return fail(new Error('a frame of kind ' + kind));
        frame(SEEN, view.getBigUint64(8, true), '', none);
        const bytes = new Uint8Array(data, end);
        heard(new TextDecoder().decode(new Uint8Array(data, 16, end - 16)), bytes.length > 0 ? base64(bytes) : null);
      };
    });
    return joined;
  }

  function post(json, files, text) {
    const bytes = text === null ? null : plain(text);
    if (socket) return frame(REQUEST, JSON.parse(json).id, json, bytes ?? new Uint8Array());
    const message = { json };
    if (files) message.files = [...document.getElementById('files').files];
    if (bytes) message.bytes = bytes;
    worker.postMessage(message);
  }
  Object.assign(window, { begin, dial, post });
`;

/** The worker's script, as index.html names it. */
export function script() {
  const found = /<meta name="engram-worker" content="([^"]+)"/.exec(readFileSync(join(DIST, 'index.html'), 'utf8'));
  return found ? found[1] : './engram-worker_loader.js';
}

/** `{"device": {…}}` as `{news: 'device', …}`. */
function flat(sent) {
  if (typeof sent === 'string') return { news: sent };
  const [[news, rest]] = Object.entries(sent);
  return { news, ...rest };
}

/** Puts the arrays that came beside an event where they belong (core/src/protocol/dense.rs). */
function filled(sent, arrays, bytes) {
  const [[news, rest]] = Object.entries(sent);
  let at = 0;
  const next = length => Array.from({ length }, () => bytes.readFloatLE((at += 4) - 4));
  if (news === 'map-row') rest.values = next(arrays[0]);
  else if (news === 'forward') {
    const heads = rest.flatMap(layer => layer.attention.map((_, head) => [layer.attention, head]));
    heads.forEach(([attention, head], place) => { attention[head] = next(arrays[place]); });
  } else throw new Error(`arrays beside ${news}`);
}

/** A request under way: `events` so far, and what it waits for. */
class Call {
  constructor(id) {
    this.id = id;
    this.events = [];
    this.waiting = [];
  }

  hear(news) {
    this.events.push(news);
    this.waiting = this.waiting.filter(look => !look());
  }

  /** News of a kind that were heard. */
  of(kind) {
    return this.events.filter(news => news.news === kind);
  }

  /** Waits for what `find` finds among the events; fails when the request ends without it. */
  until(find, what) {
    return new Promise((done, fail) => {
      const look = () => {
        const found = find(this);
        if (found) done(found);
        else if (this.ended()) fail(new Error(`no ${what}; instead: ${JSON.stringify(this.events.at(-1)).slice(0, 600)}`));
        else return false;
        return true;
      };
      if (!look()) this.waiting.push(look);
    });
  }

  ended() {
    return this.events.some(news => !MORE.has(news.news));
  }

  /** Waits for so many news of a kind; gives the last of these. */
  seen(kind, count = 1) {
    return this.until(call => call.of(kind)[count - 1], `${count} × ${kind}`);
  }

  /** The last news, whatever it is. */
  final() {
    return this.until(call => (call.ended() ? call.events.at(-1) : null), 'end');
  }

  /** The last news, which must be of this kind. */
  async last(kind) {
    const news = await this.final();
    if (news.news !== kind) throw new Error(`wanted ${kind}, got ${JSON.stringify(news).slice(0, 600)}`);
    return news;
  }

  /** The failure with which it must end. */
  failed() {
    return this.last('failed');
  }
}

/** A worker and the page that holds it. */
class Engine {
  constructor(page, site, script) {
    this.page = page;
    this.site = site;
    this.script = script;
    this.calls = new Map();
    this.last_id = 0;
  }

  async begin() {
    // Requests of a page that was left are over.
    this.calls = new Map([[0, new Call(0)]]);
    await this.page.goto(this.site.url + BLANK);
    if (this.site.link !== undefined) {
      await this.page.evaluate(token => window.dial(token), this.site.link.split('#engine=')[1]);
      this.hello = await (await this.ask({ ask: 'hello' })).last('hello');
      return;
    }
    const url = new URL(this.script, this.site.url).href;
    await this.page.evaluate(url => window.begin(url), url);
    this.hello = await this.calls.get(0).until(call => call.events[0], 'greeting');
    if (this.hello.news !== 'hello') throw new Error(`no greeting, but ${JSON.stringify(this.hello)}`);
  }

  hear(json, bytes) {
    const { id, news: sent, arrays } = JSON.parse(json);
    const beside = bytes === null ? null : Buffer.from(bytes, 'base64');
    if (arrays) filled(sent, arrays, beside);
    const news = flat(sent);
    if (beside !== null && !arrays) news.bytes = beside;
    if (news.news === 'fatal') {
      for (const call of this.calls.values()) call.hear(news);
    } else {
      this.calls.get(id)?.hear(news);
    }
  }

  /** Asks: `what` is an `Ask` of the protocol; files are paths, bytes a buffer. */
  async ask(what, { files, bytes } = {}) {
    this.last_id += 1;
    const call = new Call(this.last_id);
    this.calls.set(call.id, call);
    if (files) await this.page.setInputFiles('#files', files);
    const json = JSON.stringify({ id: call.id, ask: what });
    const text = bytes ? bytes.toString('base64') : null;
    await this.page.evaluate(([json, files, text]) => window.post(json, files, text), [json, Boolean(files), text]);
    return call;
  }

  /** Asks for a device. */
  async start(device) {
    return (await this.ask({ ask: 'start', device })).last('device');
  }

  /** Loads a model. */
  async load(model, baggage) {
    return (await this.ask({ ask: 'load', model }, baggage)).last('loaded');
  }

  /** Loads a fixture or any other folder as files that somebody has chosen. */
  async loadFolder(folder, name) {
    if (this.site.link !== undefined) {
      // A page brings no files to the computer: its owner has named the folder.
      const { models } = await (await this.ask({ ask: 'cache' })).last('cache');
      return this.load(models.find(one => one.name === name && one.model.from === 'cached').model);
    }
    return this.load({ from: 'files', name }, { files: modelFiles(folder) });
  }

  /** Asks a question, and gives the whole answer. */
  async trace(question) {
    return (await this.ask(traceAsk(question))).last('trace');
  }

  /** Stops a request. */
  async cancel(call) {
    await this.ask({ ask: 'cancel', request: call.id });
  }

  /** Pauses a study that goes on without the page that began it. */
  async pause(key) {
    return (await this.ask({ ask: 'pause-study', key })).last('studies');
  }

  /** Throws the worker away as a reload does, and starts another. */
  async reload() {
    await this.begin();
  }
}

/**
 * Starts a worker in an empty page of a site, or calls the computer's engine there. `before` is a line that it runs before anything else, `query` the end of
 * its address.
 */
export async function engine(browser, site, { before, query = '' } = {}) {
  if (before) site.pages[BEFORE] = `${before}\nawait import(${JSON.stringify(script())});`;
  const page = await browser.context.newPage();
  await page.addInitScript({ content: SCRIPT });
  // To the computer's server there is no such page, and it is its answer that matters: where it came from is who may call the engine.
  if (site.link === undefined) site.pages[BLANK] = PAGE;
  else browser.allow(/404/);
  const engine = new Engine(page, site, (before ? BEFORE : script()) + query);
  await page.exposeFunction('heard', (json, bytes) => engine.hear(json, bytes));
  await engine.begin();
  return engine;
}

/** The files of a model's folder, without those that only the tests have. */
export function modelFiles(folder) {
  const wanted = /^(config\.json|tokenizer\.json|tokenizer_config\.json|model.*\.safetensors|model\.safetensors\.index\.json)$/;
  return readdirSync(folder).filter(name => wanted.test(name)).map(name => join(folder, name));
}

/** The message of a question; what it leaves out is as the native program has it. */
export function traceAsk(question) {
  return {
    ask: 'trace',
    corruption: { kind: 'replace', with: 'Random Person' },
    readings: ['subject-last', 'last-token'],
    window: 3,
    maps: true,
    ...question,
  };
}
