// A small web server for the tests: a folder under any path, with Range requests or without, slow, or breaking off.

import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

/** What the pages of other origins may see. */
const CORS = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers': '*',
};

/** As the hub shows them. */
const SHOWN = {
  'access-control-expose-headers': 'Content-Range, Content-Length, ETag, Accept-Ranges, X-Error-Code, X-Error-Message',
};

/** Small, so that a slow or broken answer is one in the middle of a file. */
const PIECE = 16 * 1024;

const DEFAULTS = { at: '/', range: true, cors: false, cut: null, rate: null, stall: null, hidden: false, more: null };

/**
 * Serves a folder on a free port of this machine.
 *
 * - `at`: the path that stands for the folder, with a slash at both ends;
 * - `range`: whether parts of files can be asked for;
 * - `cors`: whether pages of other origins may read it;
 * - `pages`: texts or bytes by path, in place of files, or functions that give them, one call an answer;
 * - `cut`: `{ path, at, times }` closes the connection after `at` bytes of the body, so often;
 * - `rate`: bytes a second;
 * - `moved`: other addresses by path;
 * - `refused`: statuses by path, or `[status, X-Error-Code, X-Error-Message]`;
 * - `stall`: `{ path, at, times }` sends nothing more after `at` bytes of the body, and keeps the connection;
 * - `hidden`: pages of other origins may not see Content-Range and ETag;
 * - `chunked`: bodies come without a length, and ranges without Content-Range;
 * - `more`: `{ path, bytes }` sends so many bytes too many, without a length;
 * - `headers`: more headers, for all answers.
 *
 * All of these can be changed on the result while it serves. `log` holds one entry an answer.
 */
export async function serve(root, options = {}) {
  const site = { ...DEFAULTS, pages: {}, moved: {}, refused: {}, headers: {}, log: [], ...options };
  const server = createServer((request, response) => {
    answer(site, root, request, response).catch(() => response.destroy());
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  // `localhost` is a secure context for browsers, as WebGPU and the browser's storage want it.
  site.origin = `http://localhost:${server.address().port}`;
  site.url = site.origin + site.at;
  site.close = () => new Promise(done => {
    server.close(done);
    server.closeAllConnections();
  });
  /** Answers for one path, oldest first. */
  site.of = path => site.log.filter(entry => entry.path === path);
  return site;
}

async function answer(site, root, request, response) {
  const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
  const entry = { method: request.method, path, range: request.headers.range ?? null, status: 0, sent: 0, cut: false };
  site.log.push(entry);
  const headers = { 'cache-control': 'no-cache', ...(site.cors ? CORS : {}), ...(site.hidden ? {} : SHOWN), ...site.headers };
  const finish = (status, more = {}, body) => {
    entry.status = status;
    entry.sent += body?.length ?? 0;
    response.writeHead(status, { ...headers, ...more });
    response.end(body);
  };
  if (request.method === 'OPTIONS') return finish(204);
  if (site.moved[path]) return finish(302, { location: site.moved[path] });
  if (site.refused[path]) {
    const [status, code, message] = [site.refused[path]].flat();
    const why = code ? { 'x-error-code': code, 'x-error-message': message } : {};
    return finish(status, { 'content-type': 'text/plain', ...why }, Buffer.from('refused'));
  }
  const found = path.startsWith(site.at) ? find(site, root, path.slice(site.at.length)) : null;
  if (!found) return finish(404, { 'content-type': 'text/plain' }, Buffer.from('not here'));
  headers['content-type'] = found.type;
  headers.etag = found.etag;
  if (site.range) headers['accept-ranges'] = 'bytes';

  let [from, to, status] = [0, found.size - 1, 200];
  const asked = site.range && /^bytes=(\d*)-(\d*)$/.exec(entry.range ?? '');
  const stale = request.headers['if-range'] && request.headers['if-range'] !== found.etag;
  if (asked && !stale && (asked[1] || asked[2])) {
    if (asked[1]) {
      from = Number(asked[1]);
      to = asked[2] ? Math.min(Number(asked[2]), to) : to;
    } else {
      from = Math.max(found.size - Number(asked[2]), 0);
    }
    if (from >= found.size || from > to) return finish(416, { 'content-range': `bytes */${found.size}` });
    status = 206;
    if (!site.chunked) headers['content-range'] = `bytes ${from}-${to}/${found.size}`;
  }
  const more = site.more?.path === path ? site.more.bytes : 0;
  if (!site.chunked && more === 0) headers['content-length'] = to - from + 1;
  if (request.method === 'HEAD' || found.size === 0) return finish(status);

  entry.status = status;
  response.writeHead(status, headers);
  let left = Infinity;
  if (site.cut && site.cut.times > 0 && path === site.cut.path && to - from + 1 > site.cut.at) {
    site.cut.times -= 1;
    left = site.cut.at;
  }
  const stall = site.stall && site.stall.times > 0 && path === site.stall.path && to - from + 1 > site.stall.at;
  if (stall) {
    site.stall.times -= 1;
    left = site.stall.at;
  }
  for await (let chunk of found.read(from, to)) {
    if (response.destroyed) return;
    chunk = chunk.subarray(0, left);
    left -= chunk.length;
    if (site.rate) await pause((chunk.length / site.rate) * 1000);
    if (response.destroyed) return;
    entry.sent += chunk.length;
    await new Promise(done => response.write(chunk, done));
    if (left === 0 && stall) return;
    if (left === 0) {
      entry.cut = true;
      // What was written has to arrive first.
      await pause(50);
      return response.destroy();
    }
  }
  for (let sent = 0; sent < more && !response.destroyed; sent += PIECE) {
    entry.sent += PIECE;
    await new Promise(done => response.write(Buffer.alloc(PIECE, 32), done));
  }
  response.end();
}

/** A page or a file: its size, its type, and how its bytes are read. */
function find(site, root, path) {
  const name = path === '' || path.endsWith('/') ? `${path}index.html` : path;
  const type = TYPES[extname(name)] ?? 'application/octet-stream';
  const page = site.pages[name];
  if (page !== undefined) {
    const bytes = Buffer.from(typeof page === 'function' ? page() : page);
    const etag = `"${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}"`;
    return { type, size: bytes.length, etag, read: (from, to) => pieces(bytes.subarray(from, to + 1)) };
  }
  if (root === null || normalize(name).startsWith('..')) return null;
  const file = join(root, name);
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat?.isFile()) return null;
  const etag = `"${stat.size}-${Math.round(stat.mtimeMs)}"`;
  const read = (start, end) => createReadStream(file, { start, end, highWaterMark: PIECE });
  return { type, size: stat.size, etag, read };
}

function* pieces(bytes) {
  for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
}

/** Waits so many milliseconds. */
export function pause(milliseconds) {
  return new Promise(done => setTimeout(done, milliseconds));
}
