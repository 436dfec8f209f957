// A service: `handle` answers every HTTP request.

import {
    Fields,
    type IncomingRequest,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
} from "wasi:http/types@0.2.4";

export const incomingHandler = {
    handle(request: IncomingRequest, out: ResponseOutparam): void {
        respond(out, 200, "Hello from TypeScript!\n");
    },
};

function respond(out: ResponseOutparam, status: number, text: string): void {
    const encoder = new TextEncoder();
    const headers = new Fields();
    headers.append("content-type", encoder.encode("text/plain; charset=utf-8"));
    const response = new OutgoingResponse(headers);
    response.setStatusCode(status);
    const body = response.body();
    ResponseOutparam.set(out, { tag: "ok", val: response });
    const stream = body.write();
    stream.blockingWriteAndFlush(encoder.encode(text));
    stream[Symbol.dispose]();
    OutgoingBody.finish(body, undefined);
}
