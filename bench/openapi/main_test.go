package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

const swagger = `{"swagger": "2.0", "info": {"title": "keys", "version": "1"}, "basePath": "/api", "paths": {"/keys/{id}": {
	"parameters": [{"name": "id", "in": "path", "required": true, "type": "string"}, {"name": "page", "in": "query", "type": "integer"}],
	"get": {"responses": {"200": {"description": "a key"}}},
	"post": {"consumes": ["application/json"], "parameters": [{"name": "body", "in": "body", "required": true, "schema": {"$ref": "#/definitions/key"}}], "responses": {"200": {"description": "a key"}}},
	"put": {"consumes": ["application/x-www-form-urlencoded"], "parameters": [{"name": "name", "in": "formData", "type": "string"}], "responses": {"200": {"description": "a key"}}}}},
	"definitions": {"key": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "addresses": {"type": "array", "items": {"type": "string"}}}}}}`

const openapi = `
openapi: 3.0.3
info: {title: keys, version: "2"}
paths:
  /keys/{id}: {$ref: "./key.yaml"}
`

const key = `
parameters:
- {name: id, in: path, required: true, schema: {type: string}}
- {name: page, in: query, schema: {type: integer}}
get: {responses: {"200": {description: a key}}}
post:
  requestBody:
    required: true
    content:
      application/json:
        schema:
          allOf:
          - {type: object, required: [name], properties: {name: {type: string}}}
          - {type: object, properties: {addresses: {type: array, items: {type: string}}}}
  responses: {"200": {description: a key}}
put:
  requestBody:
    required: true
    content: {application/x-www-form-urlencoded: {schema: {$ref: "./form.yaml"}}}
  responses: {"200": {description: a key}}
`

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"2.json": swagger, "3.yaml": openapi, "key.yaml": key, "form.yaml": "{type: object, properties: {name: {type: string}}}"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		recorded
		want bool
	}{
		{"a call", recorded{Method: "GET", URL: "/api/keys/1"}, true},
		{"a parameter", recorded{Method: "GET", URL: "/api/keys/1?page=2"}, true},
		{"no such parameter", recorded{Method: "GET", URL: "/api/keys/1?pages=2"}, false},
		{"of another kind", recorded{Method: "GET", URL: "/api/keys/1?page=x"}, false},
		{"no such call", recorded{Method: "DELETE", URL: "/api/keys/1"}, false},
		{"a body where there is none", recorded{Method: "GET", URL: "/api/keys/1", Type: "application/json", Body: `{}`}, false},
		{"a body", recorded{Method: "POST", URL: "/api/keys/1", Type: "application/json", Body: `{"name": "x", "addresses": ["192.0.2.1"]}`}, true},
		{"no such field", recorded{Method: "POST", URL: "/api/keys/1", Type: "application/json", Body: `{"name": "x", "adresses": ["192.0.2.1"]}`}, false},
		{"a form", recorded{Method: "PUT", URL: "/api/keys/1", Type: "application/x-www-form-urlencoded", Body: "name=x"}, true},
		{"no such field in the form", recorded{Method: "PUT", URL: "/api/keys/1", Type: "application/x-www-form-urlencoded", Body: "nam=x"}, false},
		{"a field that is missing", recorded{Method: "POST", URL: "/api/keys/1", Type: "application/json", Body: `{"addresses": []}`}, false},
	} {
		c.Test = t.Name()
		sent := t.TempDir()
		text, err := json.Marshal(c.recorded)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sent, "1.json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, document := range []string{"2.json", "3.yaml"} {
			if got, err := check("/api", sent, []string{filepath.Join(dir, document)}); err != nil || got != c.want {
				t.Errorf("%s, %s: %v, %v", c.name, document, got, err)
			}
		}
	}
}
