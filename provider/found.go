package provider

import "github.com/keywright/keywright/secret"

// The parameters that say where a server is.
const (
	HostParam = "host"
	PortParam = "port"
)

// HostRecognizer knows its credentials among addresses that a scan finds, which name a
// server: SCHEME://USER:PASSWORD@HOST. Whoever wrote what was scanned chose the host.
type HostRecognizer interface {
	// RecognizeHost is Recognizer's Recognize for such an address. The credential is Found.
	RecognizeHost(rule string, parts map[string]secret.Value) (Credential, bool)
}
