// Openapi checks recorded requests against the description that a vendor publishes of its
// API: that the address exists, that parameters and body are as it says, and that nothing
// is sent that it does not name, which a server is free to pass over.
//
//	KEYWRIGHT_RECORD=DIR go test ./provider/NAME
//	go run -C bench/openapi . [-strip PREFIX] DIR DOCUMENT...
//
// The documents, OpenAPI 3 in JSON or YAML, or Swagger 2 in JSON, are given on disk, with
// the files that they refer to; each request has to be one of one of them. PREFIX is taken
// off the requests' paths, where the documents have it in the servers' addresses. Whether a
// request is authenticated is not looked at: what shows that is not recorded. Exit status 1
// says that some request is none of the API.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

func main() {
	strip := flag.String("strip", "", "`PREFIX` of the requests' paths")
	flag.Parse()
	if flag.NArg() < 2 {
		fmt.Fprintln(os.Stderr, "usage: openapi [-strip PREFIX] DIR DOCUMENT...")
		os.Exit(2)
	}
	ok, err := check(*strip, flag.Arg(0), flag.Args()[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// recorded is a request, as package providertest writes it.
type recorded struct{ Method, URL, Type, Body, Test string }

// check reports whether all requests of a directory are of the documents, and prints how
// many are, and what is wrong with the others.
func check(strip, dir string, documents []string) (ok bool, err error) {
	var apis []routers.Router
	for _, path := range documents {
		r, err := load(path)
		if err != nil {
			return false, fmt.Errorf("read %s: %w", path, err)
		}
		apis = append(apis, r)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		return false, errors.Join(err, errors.New("no recorded requests in "+dir))
	}
	good := map[string]int{}
	bad := map[string]int{}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return false, err
		}
		var r recorded
		if err := json.Unmarshal(text, &r); err != nil {
			return false, fmt.Errorf("read %s: %w", path, err)
		}
		r.URL = strings.TrimPrefix(r.URL, strip)
		call, err := is(apis, r)
		if err != nil {
			what, _, _ := strings.Cut(err.Error(), "\n") // schemas and values follow
			bad[call+": "+what]++
		} else {
			good[call]++
		}
	}
	for _, call := range slices.Sorted(maps.Keys(good)) {
		fmt.Printf("%6d  %s\n", good[call], call)
	}
	for _, what := range slices.Sorted(maps.Keys(bad)) {
		fmt.Printf("%6d  WRONG  %s\n", bad[what], what)
	}
	fmt.Printf("%d requests, %d calls, %d wrong in some way\n", len(files), len(good), len(bad))
	return len(bad) == 0, nil
}

// load reads a document. Addresses of servers are left out: a fake has its own.
func load(path string) (routers.Router, error) {
	doc, err := read(path)
	if err != nil {
		return nil, err
	}
	if doc.Info == nil || doc.Paths == nil {
		return nil, errors.New("it describes no API")
	}
	doc.Servers = nil
	for _, item := range doc.Paths.Map() {
		item.Servers = nil
		for _, operation := range item.Operations() {
			operation.Servers = nil
		}
	}
	fmt.Printf("%s %s, OpenAPI %s\n", doc.Info.Title, doc.Info.Version, doc.OpenAPI)
	return gorillamux.NewRouter(doc)
}

// read reads a document, and files that it refers to; nothing is fetched.
func read(path string) (*openapi3.T, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	loader := openapi3.NewLoader()
	loader.ReadFromURIFunc = openapi3.ReadFromFile
	var old openapi2.T
	if json.Unmarshal(text, &old) == nil && old.Swagger != "" {
		return openapi2conv.ToV3WithLoader(&old, loader, nil)
	}
	return loader.LoadFromFile(path)
}

// is checks one request, and says which call it is.
func is(apis []routers.Router, r recorded) (call string, err error) {
	call = r.Method + " " + strings.SplitN(r.URL, "?", 2)[0]
	for _, api := range apis {
		request, err := http.NewRequest(r.Method, r.URL, strings.NewReader(r.Body))
		if err != nil {
			return call, err
		}
		if r.Type != "" {
			request.Header.Set("Content-Type", r.Type)
		}
		route, params, err := api.FindRoute(request)
		if err != nil {
			continue
		}
		call = r.Method + " " + route.Path
		if err := known(route, request, r); err != nil {
			return call, err
		}
		return call, openapi3filter.ValidateRequest(context.Background(), &openapi3filter.RequestValidationInput{
			Request: request, PathParams: params, Route: route,
			Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, RejectWhenRequestBodyNotSpecified: true},
		})
	}
	return call, errors.New("there is no such call")
}

// known looks whether the document names the parameters in a request's address, and the
// fields of its body, if that is a form or a JSON object.
func known(route *routers.Route, request *http.Request, r recorded) error {
	for name := range request.URL.Query() {
		if route.PathItem.Parameters.GetByInAndName("query", name) == nil && route.Operation.Parameters.GetByInAndName("query", name) == nil {
			return fmt.Errorf("there is no parameter %q", name)
		}
	}
	if route.Operation.RequestBody == nil {
		return nil
	}
	media := route.Operation.RequestBody.Value.Content.Get(r.Type)
	names := map[string]bool{}
	if media == nil || media.Schema == nil || fieldsOf(media.Schema, names) {
		return nil
	}
	var fields []string
	var object map[string]any
	if r.Type == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(r.Body)
		if err != nil {
			return err
		}
		fields = slices.Collect(maps.Keys(form))
	} else if json.Unmarshal([]byte(r.Body), &object) == nil {
		fields = slices.Collect(maps.Keys(object))
	}
	for _, name := range fields {
		if !names[name] {
			return fmt.Errorf("there is no field %q", name)
		}
	}
	return nil
}

// fieldsOf collects the names of a schema's fields, of whatever alternative. It returns
// true if any others may be there.
func fieldsOf(ref *openapi3.SchemaRef, names map[string]bool) (any bool) {
	schema := ref.Value
	for name := range schema.Properties {
		names[name] = true
	}
	parts := slices.Concat(schema.AllOf, schema.AnyOf, schema.OneOf)
	for _, part := range parts {
		any = fieldsOf(part, names) || any
	}
	return any || len(schema.Properties) == 0 && len(parts) == 0 || schema.AdditionalProperties.Schema != nil
}
