// An HTTP service: `/quotes/ada` is what Ada said.

import { parse } from "regexparam";
import {
    Fields,
    type IncomingRequest,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
} from "wasi:http/types@0.2.4";

import { quote } from "./quotes";

const route = parse("/quotes/:author");

export const incomingHandler = {
    handle(request: IncomingRequest, out: ResponseOutparam): void {
        const author = route.pattern.exec(request.pathWithQuery() ?? "/")?.[1];
        const said = author && quote(author);
        answer(out, said ? 200 : 404, said ? `${said}\n` : "nothing is known\n");
    },
};

function answer(out: ResponseOutparam, status: number, text: string): void {
    const bytes = new TextEncoder().encode(text);
    const response = new OutgoingResponse(new Fields());
    response.setStatusCode(status);
    const body = response.body();
    ResponseOutparam.set(out, { tag: "ok", val: response });
    const stream = body.write();
    stream.blockingWriteAndFlush(bytes);
    stream[Symbol.dispose]();
    OutgoingBody.finish(body, undefined);
}
