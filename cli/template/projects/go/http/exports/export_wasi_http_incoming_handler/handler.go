// Package export_wasi_http_incoming_handler is what the world exports as wasi:http/incoming-handler.
package export_wasi_http_incoming_handler

import (
	. "example.com/new-project/imports/wasi_http_types"
	. "go.bytecodealliance.org/pkg/wit/types"
)

// Handle answers every HTTP request.
func Handle(request *IncomingRequest, out *ResponseOutparam) {
	respond(out, 200, "Hello from Go!\n")
}

func respond(out *ResponseOutparam, status uint16, text string) {
	headers := MakeFields()
	headers.Append("content-type", []uint8("text/plain; charset=utf-8"))
	response := MakeOutgoingResponse(headers)
	response.SetStatusCode(status)
	body := response.Body().Ok()
	ResponseOutparamSet(out, Ok[*OutgoingResponse, ErrorCode](response))
	stream := body.Write().Ok()
	stream.BlockingWriteAndFlush([]uint8(text))
	stream.Drop()
	OutgoingBodyFinish(body, None[*Fields]())
}
