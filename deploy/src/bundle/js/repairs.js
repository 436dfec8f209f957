// Mends what the shims do in another way than WASI says. Each repair belongs to one fault of the version of the shims
// that bundles are made with, and has a test that fails without it. The files of the shims stay unchanged.

import { types } from "./shim/http.js";
import { streams } from "./shim/io.js";

// The methods that wasi:http has names for. Every other one is `other`.
const METHODS = new Set(["get", "head", "post", "put", "delete", "connect", "options", "trace", "patch"]);

// The encodings of bodies that `fetch` undoes while it leaves the header as it is.
const UNDONE = new Set(
  globalThis.navigator?.userAgent === "Cloudflare-Workers"
    ? ["gzip", "br"]
    : ["gzip", "x-gzip", "br", "deflate"],
);

// Makes all repairs. Called once, before the first request.
export function repair() {
  repairMethods();
  repairFields();
  repairSplice();
  repairFetch();
}

// The shims take every method for one with a name, which traps at PROPFIND, for example.
function repairMethods() {
  const method = types.IncomingRequest.prototype.method;
  types.IncomingRequest.prototype.method = function () {
    const { tag } = method.call(this);
    return METHODS.has(tag) ? { tag } : { tag: "other", val: tag.toUpperCase() };
  };
}

// A clone shares its list of entries with the original, so that a header that is appended to one is sent with the
// other, too. The list becomes the clone's own when a header is set.
function repairFields() {
  const clone = types.Fields.prototype.clone;
  types.Fields.prototype.clone = function () {
    if (this.entries().length === 0) return new types.Fields();
    const copy = clone.call(this);
    for (const [name] of copy.entries()) {
      try {
        copy.set(name, copy.get(name));
        break;
      } catch {
        // Some headers, such as `host`, can't be set. Any other one will do.
      }
    }
    return copy;
  };
}

// A blocking read may give a promise of bytes, which the shims take for the bytes.
function repairSplice() {
  streams.OutputStream.prototype.blockingSplice = function (source, length) {
    const permit = this.checkWrite();
    const write = (bytes) => {
      this.write(bytes);
      return BigInt(bytes.byteLength);
    };
    const bytes = source.blockingRead(length < permit ? length : permit);
    return bytes instanceof Promise ? bytes.then(write) : write(bytes);
  };
}

// A component sees every answer as the server gave it, also one that redirects. A body that `fetch` has unpacked loses
// the headers of the packed one.
function repairFetch() {
  const send = globalThis.fetch;
  globalThis.fetch = async (url, options) => {
    const answer = await send(url, { redirect: "manual", ...options });
    if (!UNDONE.has(answer.headers.get("content-encoding")?.toLowerCase())) return answer;
    const headers = new Headers(answer.headers);
    headers.delete("content-encoding");
    headers.delete("content-length");
    return new Response(answer.body, { status: answer.status, headers });
  };
}

// Returns a response whose body is sent as it is. Without this, a host packs it once more if its headers say that it is
// packed.
export function sendAsIs(response) {
  if (!response.headers.has("content-encoding")) return response;
  const { body, status, headers } = response;
  return new Response(body, { status, headers, encodeBody: "manual" });
}
