package aws

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

const (
	atOnce   = 10 // parameters that one call reads
	maxPages = 50 // of descriptions, some of which are empty
	secure   = "SecureString"
)

// Parameters are those of the SSM Parameter Store in a region, of the type SecureString.
// They are read back. Systems Manager does not refuse a write that comes after somebody
// else's; the versions before are in the parameter's history. The KMS key, the tier, the
// policies and the rest are sent along as they are: what is not sent goes back to a default.
//
// The key needs the rights ssm:GetParameters, ssm:DescribeParameters and ssm:PutParameter,
// and those of the KMS key. It is not to be used concurrently.
type Parameters struct {
	caller
	kept map[string]description
}

// description is what there is of a parameter beside its value.
type description struct {
	Name        string
	Type        string
	KeyID       string `json:"KeyId"`
	Description string
	Pattern     string `json:"AllowedPattern"`
	Tier        string
	DataType    string
	Policies    []struct{ PolicyText string }
}

// OpenParameters returns the parameters of a region, reached with a credential, over the
// transport of h, which may be nil.
func OpenParameters(h *http.Client, region string, as provider.Credential) *Parameters {
	return &Parameters{newCaller(h, "ssm", "AmazonSSM", region, as), map[string]description{}}
}

// Read returns parameters.
func (p *Parameters) Read(ctx context.Context, names []string) (map[string]secret.Value, error) {
	const doing = "read parameters"
	values := map[string]secret.Value{}
	for some := range slices.Chunk(names, atOnce) {
		var answer struct {
			Parameters []struct {
				Name, Type string
				Value      web.Secret
			}
			Invalid []string `json:"InvalidParameters"`
		}
		in := map[string]any{"Names": some, "WithDecryption": true}
		if err := p.do(ctx, doing, "GetParameters", in, &answer); err != nil {
			return nil, err
		}
		for _, found := range answer.Parameters {
			switch {
			case !slices.Contains(some, found.Name):
				return nil, p.failed(doing, provider.Malformed, "it says what another parameter is")
			case found.Type != secure:
				return nil, p.failed(doing, provider.Refused, "%s is not of the type %s: what it holds is not encrypted", found.Name, secure)
			}
			values[found.Name] = found.Value.Value
		}
		if len(answer.Invalid) > 0 && slices.Contains(some, answer.Invalid[0]) {
			return nil, p.absent(&provider.Error{Provider: p.service, Doing: "read the parameter " + answer.Invalid[0], Kind: provider.Refused})
		}
	}
	for _, name := range names {
		if _, ok := values[name]; !ok {
			return nil, p.failed(doing, provider.Malformed, "it does not say what %s is", name)
		}
	}
	return values, p.describe(ctx, names)
}

// describe reads what there is beside the values.
func (p *Parameters) describe(ctx context.Context, names []string) error {
	const doing = "read how parameters are stored"
	in := map[string]any{"ParameterFilters": []any{map[string]any{"Key": "Name", "Option": "Equals", "Values": names}}}
	clear(p.kept)
	for range maxPages {
		var answer struct {
			Parameters []description
			Next       string `json:"NextToken"`
		}
		if err := p.do(ctx, doing, "DescribeParameters", in, &answer); err != nil {
			return err
		}
		for _, d := range answer.Parameters {
			p.kept[d.Name] = d
		}
		if answer.Next == "" {
			break
		}
		in["NextToken"] = answer.Next
	}
	for _, name := range names {
		if d := p.kept[name]; d.Type != secure || d.KeyID == "" {
			return p.failed(doing, provider.Malformed, "it does not say how %s is encrypted", name)
		}
	}
	return nil
}

// Write replaces parameters, one after the other.
func (p *Parameters) Write(ctx context.Context, values map[string]secret.Value) error {
	names := slices.Sorted(maps.Keys(values))
	for _, name := range names {
		if !utf8.Valid(values[name].Reveal()) {
			return p.failed("replace the parameter "+name, provider.Incomplete, "a parameter is text")
		}
	}
	for _, name := range names {
		doing := "replace the parameter " + name
		in, err := p.kept[name].put(values[name])
		if err != nil {
			return p.failed(doing, provider.Malformed, "its policies are no JSON")
		}
		var answer struct{ Version int }
		if err := p.do(ctx, doing, "PutParameter", in, &answer); err != nil {
			return err
		}
		if answer.Version < 1 {
			return p.failed(doing, provider.Malformed, "it does not name a version")
		}
	}
	return nil
}

// put is the request that replaces the value, and leaves the rest.
func (d description) put(v secret.Value) (map[string]any, error) {
	in := map[string]any{"Name": d.Name, "Value": string(v.Reveal()), "Type": d.Type, "KeyId": d.KeyID, "Overwrite": true}
	for name, value := range map[string]string{"Description": d.Description, "AllowedPattern": d.Pattern, "Tier": d.Tier, "DataType": d.DataType} {
		if value != "" {
			in[name] = value
		}
	}
	var policies []json.RawMessage
	for _, p := range d.Policies {
		policies = append(policies, json.RawMessage(p.PolicyText))
	}
	if len(policies) > 0 {
		text, err := json.Marshal(policies)
		if err != nil {
			return nil, err
		}
		in["Policies"] = string(text)
	}
	return in, nil
}
