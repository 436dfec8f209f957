// Package export_wasi_http_incoming_handler is what the world exports as wasi:http/incoming-handler.
package export_wasi_http_incoming_handler

import (
	"encoding/json"
	"strings"

	"example.com/shop/catalogue"
	. "example.com/shop/imports/wasi_http_types"
	. "go.bytecodealliance.org/pkg/wit/types"
)

// Handle answers one request: GET /NAME gives the article of that name.
func Handle(request *IncomingRequest, out *ResponseOutparam) {
	name := strings.TrimPrefix(request.PathWithQuery().SomeOr("/"), "/")
	article, found := catalogue.Find(name)
	if !found {
		answer(out, 404, []byte("there is no "+name+"\n"))
		return
	}
	text, _ := json.Marshal(article)
	answer(out, 200, append(text, '\n'))
}

func answer(out *ResponseOutparam, status uint16, text []byte) {
	response := MakeOutgoingResponse(MakeFields())
	response.SetStatusCode(status)
	body := response.Body().Ok()
	ResponseOutparamSet(out, Ok[*OutgoingResponse, ErrorCode](response))
	stream := body.Write().Ok()
	stream.BlockingWriteAndFlush(text)
	stream.Drop()
	OutgoingBodyFinish(body, None[*Fields]())
}
