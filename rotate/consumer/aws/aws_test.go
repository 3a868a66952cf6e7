package aws_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/rotate/consumer"
	"github.com/keywright/keywright/rotate/consumer/consumertest"
	"github.com/keywright/keywright/secret"
)

const (
	keyID     = "AKID"
	keySecret = "marked-key"
	region    = "eu-central-1"
	arn       = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/bot-AbCdEf"
)

// parameter is one of the SSM Parameter Store; what a request leaves out goes back to a
// default.
type parameter struct {
	Type, KeyID, Description, Pattern, Tier, DataType, Policies, value string
	version                                                            int
}

// fake is both services as they are documented. Signatures are checked by making them
// again with the SDK's own signer.
type fake struct {
	denied map[string]string // codes of actions that are refused; empty where there is no answer but {}
	late   time.Duration     // that our clock is behind the server's

	mu         sync.Mutex
	parameters map[string]*parameter
	versions   map[string]string // texts of the secret's versions, by id
	stages     map[string]string // ids of versions, by label
	binary     bool              // the secret is no text
	writes     int
}

type m map[string]any

// failure is an error as the protocol has it.
type failure struct {
	status int
	code   string
}

func (f *failure) Error() string { return f.code }

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	target, service := r.Header.Get("X-Amz-Target"), "ssm"
	action, ok := strings.CutPrefix(target, "AmazonSSM.")
	if !ok {
		service = "secretsmanager"
		action, _ = strings.CutPrefix(target, "secretsmanager.")
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("Date", time.Now().Add(f.late).UTC().Format(http.TimeFormat))
	var in m
	err := f.signed(r, body, service)
	if err == nil && (r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" || json.Unmarshal(body, &in) != nil) {
		err = &failure{400, "SerializationException"}
	}
	var out m
	if err == nil {
		out, err = f.do(action, in)
	}
	var bad *failure
	if errors.As(err, &bad) {
		w.WriteHeader(bad.status)
		json.NewEncoder(w).Encode(m{"__type": "com.amazonaws." + service + "#" + bad.code, "message": "marked-" + string(body)})
		return
	}
	json.NewEncoder(w).Encode(out)
}

// signed checks a signature.
func (f *fake) signed(r *http.Request, body []byte, service string) error {
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return &failure{400, "MissingAuthenticationToken"}
	}
	if off := time.Now().Add(f.late).Sub(at); off > 5*time.Minute || off < -5*time.Minute {
		return &failure{400, "InvalidSignatureException"}
	}
	again, err := http.NewRequest(r.Method, "http://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	for _, name := range []string{"Content-Type", "X-Amz-Target"} {
		again.Header.Set(name, r.Header.Get(name))
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(body))
	err = v4.NewSigner().SignHTTP(context.Background(), sdk.Credentials{AccessKeyID: keyID, SecretAccessKey: keySecret}, again, sum, service, region, at)
	if err != nil || again.Header.Get("Authorization") != r.Header.Get("Authorization") {
		return &failure{400, "InvalidSignatureException"}
	}
	return nil
}

func (f *fake) do(action string, in m) (m, error) {
	if code, ok := f.denied[action]; ok && code == "" {
		return m{}, nil
	} else if ok {
		return nil, &failure{400, code}
	}
	text := func(name string) string { s, _ := in[name].(string); return s }
	switch action {
	case "GetParameters":
		return f.getParameters(in)
	case "DescribeParameters":
		return f.describe(in)
	case "PutParameter":
		old := f.parameters[text("Name")]
		switch {
		case old == nil || in["Overwrite"] != true:
			return nil, &failure{400, "ParameterAlreadyExists"}
		case strings.Contains(text("Value"), "{{"):
			return nil, &failure{400, "ValidationException"}
		}
		next := &parameter{Type: text("Type"), KeyID: text("KeyId"), Description: text("Description"), Pattern: text("AllowedPattern"), Tier: text("Tier"),
			DataType: text("DataType"), Policies: text("Policies"), value: text("Value"), version: old.version + 1}
		if next.KeyID == "" {
			next.KeyID = "alias/aws/ssm"
		}
		f.parameters[text("Name")] = next
		f.writes++
		return m{"Version": next.version, "Tier": next.Tier}, nil
	}
	if id := text("SecretId"); id != "prod/bot" && id != arn {
		return nil, &failure{400, "ResourceNotFoundException"}
	}
	switch action {
	case "GetSecretValue":
		id := f.stages[text("VersionStage")]
		if f.binary {
			return m{"ARN": arn, "VersionId": id, "SecretBinary": "AAAA"}, nil
		}
		return m{"ARN": arn, "VersionId": id, "SecretString": f.versions[id]}, nil
	case "PutSecretValue":
		id := text("ClientRequestToken")
		if _, there := f.versions[id]; there || len(id) < 32 || len(id) > 64 {
			return nil, &failure{400, "ResourceExistsException"}
		}
		f.versions[id] = text("SecretString")
		for _, label := range in["VersionStages"].([]any) {
			f.stages[label.(string)] = id
		}
		return m{"ARN": arn, "VersionId": id}, nil
	case "UpdateSecretVersionStage":
		return f.move(text("VersionStage"), text("RemoveFromVersionId"), text("MoveToVersionId"))
	}
	return nil, &failure{400, "UnknownOperationException"}
}

func (f *fake) getParameters(in m) (m, error) {
	found, invalid := []m{}, []string{}
	names := in["Names"].([]any)
	if len(names) > 10 {
		return nil, &failure{400, "ValidationException"}
	}
	for _, n := range names {
		p := f.parameters[n.(string)]
		if p == nil {
			invalid = append(invalid, n.(string))
			continue
		}
		value := p.value
		if in["WithDecryption"] != true {
			value = "AQICAH"
		}
		found = append(found, m{"Name": n, "Type": p.Type, "Value": value, "Version": p.version})
	}
	return m{"Parameters": found, "InvalidParameters": invalid}, nil
}

// describe has a page that is empty, as there may be.
func (f *fake) describe(in m) (m, error) {
	if in["NextToken"] != "more" {
		return m{"Parameters": []m{}, "NextToken": "more"}, nil
	}
	found := []m{}
	for _, n := range in["ParameterFilters"].([]any)[0].(map[string]any)["Values"].([]any) {
		p := f.parameters[n.(string)]
		if p == nil {
			continue
		}
		d := m{"Name": n, "Type": p.Type, "KeyId": p.KeyID, "Tier": p.Tier, "DataType": p.DataType, "Version": p.version}
		if p.Description != "" {
			d["Description"] = p.Description
		}
		if p.Pattern != "" {
			d["AllowedPattern"] = p.Pattern
		}
		var policies []json.RawMessage
		json.Unmarshal([]byte(p.Policies), &policies)
		inline := []m{}
		for _, text := range policies {
			inline = append(inline, m{"PolicyText": string(text), "PolicyType": "Expiration", "PolicyStatus": "Pending"})
		}
		d["Policies"] = inline
		found = append(found, d)
	}
	return m{"Parameters": found}, nil
}

func (f *fake) move(label, from, to string) (m, error) {
	if _, there := f.versions[to]; !there {
		return nil, &failure{400, "ResourceNotFoundException"}
	}
	if f.stages[label] != from {
		return nil, &failure{400, "InvalidParameterException"}
	}
	f.stages["AWSPREVIOUS"], f.stages[label] = from, to
	f.writes++
	return m{"ARN": arn, "Name": "prod/bot"}, nil
}

func newFake() *fake {
	return &fake{denied: map[string]string{}, parameters: map[string]*parameter{}, versions: map[string]string{}, stages: map[string]string{"AWSCURRENT": "v1"}}
}

// hold makes the secret what it is, as somebody else would.
func (f *fake) hold(text string) {
	id := fmt.Sprint("other-", len(f.versions))
	f.versions[id], f.stages["AWSCURRENT"] = text, id
	f.writes++
}

// values are those of the secret, which is JSON.
func (f *fake) values() (all map[string]any) {
	d := json.NewDecoder(strings.NewReader(f.versions[f.stages["AWSCURRENT"]]))
	d.UseNumber()
	d.Decode(&all)
	return all
}

func newWire() *consumertest.Wire {
	return &consumertest.Wire{Writes: func(r *http.Request) bool {
		_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		return slices.Contains([]string{"PutParameter", "PutSecretValue", "UpdateSecretVersionStage"}, action)
	}}
}

func (f *fake) world(t *testing.T, wire *consumertest.Wire) consumer.World {
	t.Helper()
	server := httptest.NewServer(providertest.Recorded(t, f))
	t.Cleanup(server.Close)
	return consumer.World{
		HTTP: &http.Client{Transport: wire},
		Auth: func(context.Context, string) (provider.Credential, error) {
			return provider.Credential{Parts: secrets("id", keyID, "secret", keySecret), Params: map[string]string{"url": server.URL}}, nil
		},
	}
}

func secrets(pairs ...string) map[string]secret.Value {
	all := map[string]secret.Value{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = secret.New([]byte(pairs[i+1]))
	}
	return all
}

func opens(t *testing.T, w consumer.World, spec string) rotate.Consumer {
	t.Helper()
	c, err := w.Open(spec + ",auth=prod/AWS")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *fake) stamp(*testing.T) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strconv.Itoa(f.writes)
}

func plain(value string) *parameter {
	return &parameter{Type: "SecureString", KeyID: "alias/aws/ssm", Tier: "Standard", DataType: "text", value: value, version: 1}
}

func TestParameters(t *testing.T) {
	consumertest.Run(t, []string{"id", "secret"}, func(t *testing.T, held map[string]string) consumertest.Place {
		f, wire := newFake(), newWire()
		names := map[string]string{"id": "/prod/bot/id", "secret": "bot.secret"}
		for part, name := range names {
			f.parameters[name] = plain(held[part])
		}
		return consumertest.Place{
			Consumer: opens(t, f.world(t, wire), "ssm:"+region+",id=/prod/bot/id,secret=bot.secret"),
			Got: func(*testing.T) map[string]string {
				f.mu.Lock()
				defer f.mu.Unlock()
				return map[string]string{"id": f.parameters[names["id"]].value, "secret": f.parameters[names["secret"]].value}
			},
			Put: func(_ *testing.T, part, value string) {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.parameters[names[part]].value = value
			},
			Stamp: f.stamp, Wire: wire, Apart: true,
		}
	})
}

func TestSecret(t *testing.T) {
	consumertest.Run(t, []string{"id", "secret"}, func(t *testing.T, held map[string]string) consumertest.Place {
		f, wire := newFake(), newWire()
		put := func(values map[string]any) {
			text, _ := json.Marshal(values)
			f.hold(string(text))
		}
		put(map[string]any{"id": held["id"], "the secret": held["secret"], "port": json.Number("5432.0"), "list": []any{"a"}})
		names := map[string]string{"id": "id", "secret": "the secret"}
		return consumertest.Place{
			Consumer: opens(t, f.world(t, wire), "secretsmanager:"+region+"/"+arn+",id=id,secret=the secret"),
			Got: func(t *testing.T) map[string]string {
				f.mu.Lock()
				defer f.mu.Unlock()
				v := f.values()
				if fmt.Sprintf("%v %v", v["port"], v["list"]) != "5432.0 [a]" {
					t.Errorf("something else changed: %v", v)
				}
				return map[string]string{"id": v["id"].(string), "secret": v["the secret"].(string)}
			},
			Put: func(_ *testing.T, part, value string) {
				f.mu.Lock()
				defer f.mu.Unlock()
				v := f.values()
				v[names[part]] = value
				put(v)
			},
			Stamp: f.stamp, Wire: wire, Guarded: true, Writes: 2,
		}
	})
}

func TestWholeSecret(t *testing.T) {
	consumertest.Run(t, []string{"value"}, func(t *testing.T, held map[string]string) consumertest.Place {
		f, wire := newFake(), newWire()
		f.hold(held["value"])
		return consumertest.Place{
			Consumer: opens(t, f.world(t, wire), "secretsmanager:"+region+"/prod/bot,value=*"),
			Got: func(*testing.T) map[string]string {
				f.mu.Lock()
				defer f.mu.Unlock()
				return map[string]string{"value": f.versions[f.stages["AWSCURRENT"]]}
			},
			Put: func(_ *testing.T, _, value string) {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.hold(value)
			},
			Stamp: f.stamp, Wire: wire, Guarded: true, Writes: 2,
		}
	})
}

// All but the value of a parameter stays as it is.
func TestParameterKeepsTheRest(t *testing.T) {
	f := newFake()
	was := parameter{
		Type: "SecureString", KeyID: "arn:aws:kms:eu-central-1:123456789012:key/1", Description: "the bot's", Pattern: "^[a-z]+$", Tier: "Advanced", DataType: "text",
		Policies: `[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"2027-01-01T00:00:00.000Z"}}]`, value: "old", version: 3,
	}
	now := was
	f.parameters["A"] = &now
	if err := opens(t, f.world(t, newWire()), "ssm:"+region+",p=A").Deliver(t.Context(), secrets("p", "old"), secrets("p", "new")); err != nil {
		t.Fatal(err)
	}
	was.value, was.version = "new", 4
	if got := *f.parameters["A"]; got != was {
		t.Errorf("it is %+v, want %+v", got, was)
	}
}

// The version that was current is previous, and the label is on the one that was written.
func TestStages(t *testing.T) {
	f := newFake()
	f.hold("old")
	if err := opens(t, f.world(t, newWire()), "secretsmanager:"+region+"/prod/bot,p=*").Deliver(t.Context(), secrets("p", "old"), secrets("p", "new")); err != nil {
		t.Fatal(err)
	}
	if f.versions[f.stages["AWSPREVIOUS"]] != "old" || f.versions[f.stages["AWSCURRENT"]] != "new" || f.stages["keywright"] != f.stages["AWSCURRENT"] {
		t.Errorf("%v", f.stages)
	}
}

// Each trouble is said, shows no secret, and changes nothing.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name, spec, value string
		set               func(*fake)
		kind              provider.Kind
		says              string
	}{
		{"no parameter", "ssm:" + region + ",p=B", "new", func(*fake) {}, provider.Refused, "read the parameter B"},
		{"not encrypted", "ssm:" + region + ",p=A", "new", func(f *fake) { f.parameters["A"].Type = "String" }, provider.Refused, "not encrypted"},
		{"may not describe", "ssm:" + region + ",p=A", "new", func(f *fake) { f.denied["DescribeParameters"] = "AccessDeniedException" }, provider.Forbidden, "how parameters are stored"},
		{"may not put", "ssm:" + region + ",p=A", "new", func(f *fake) { f.denied["PutParameter"] = "AccessDeniedException" }, provider.Forbidden, "AccessDeniedException"},
		{"nested", "ssm:" + region + ",p=A", "{{x}}", func(*fake) {}, provider.Refused, "ValidationException"},
		{"no text", "ssm:" + region + ",p=A", "\xff", func(*fake) {}, provider.Incomplete, "text"},
		{"no secret", "secretsmanager:" + region + "/other,p=*", "new", func(*fake) {}, provider.Refused, "it is not there"},
		{"no JSON", "secretsmanager:" + region + "/prod/bot,p=A", "new", func(*fake) {}, provider.Refused, "no object of JSON"},
		{"no value", "secretsmanager:" + region + "/prod/bot,p=A", "new", func(f *fake) { f.hold(`{"B": "old"}`) }, provider.Refused, `no value "A"`},
		{"a number", "secretsmanager:" + region + "/prod/bot,p=A", "new", func(f *fake) { f.hold(`{"A": 1}`) }, provider.Refused, "no text"},
		{"binary", "secretsmanager:" + region + "/prod/bot,p=*", "new", func(f *fake) { f.binary = true }, provider.Refused, "no text"},
		{"may not move", "secretsmanager:" + region + "/prod/bot,p=*", "new", func(f *fake) { f.denied["UpdateSecretVersionStage"] = "AccessDeniedException" }, provider.Forbidden, "current"},
		{"throttled", "ssm:" + region + ",p=A", "new", func(f *fake) { f.denied["PutParameter"] = "ThrottlingException" }, provider.Busy, "throttled"},
		{"another at once", "ssm:" + region + ",p=A", "new", func(f *fake) { f.denied["PutParameter"] = "TooManyUpdates" }, provider.Busy, "throttled"},
		{"not stored", "secretsmanager:" + region + "/prod/bot,p=*", "new", func(f *fake) { f.denied["PutSecretValue"] = "" }, provider.Malformed, "name the version"},
		{"not moved", "secretsmanager:" + region + "/prod/bot,p=*", "new", func(f *fake) { f.denied["UpdateSecretVersionStage"] = "" }, provider.Malformed, "name the secret"},
		{"another region", "ssm:us-east-1,p=A", "new", func(*fake) {}, provider.Forbidden, "InvalidSignatureException"},
		{"clock", "ssm:" + region + ",p=A", "new", func(f *fake) { f.late = time.Hour }, provider.Forbidden, "InvalidSignatureException"},
	} {
		f := newFake()
		f.parameters["A"] = plain("old")
		f.hold("old")
		c.set(f)
		f.writes = 0
		err := opens(t, f.world(t, newWire()), c.spec).Deliver(t.Context(), secrets("p", "old"), secrets("p", c.value))
		var e *provider.Error
		if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(err.Error(), c.says) || strings.Contains(fmt.Sprintf("%+v", err), "marked") || f.writes != 0 {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if (e.Hint == "set the clock of this machine") != (c.name == "clock") {
			t.Errorf("%s: hint %q", c.name, e.Hint)
		}
	}
}

// Without an id and a secret, nothing is asked.
func TestAuth(t *testing.T) {
	w := consumer.World{Auth: func(context.Context, string) (provider.Credential, error) {
		return provider.Credential{Parts: secrets("token", "marked-token")}, nil
	}}
	var e *provider.Error
	if _, err := opens(t, w, "ssm:"+region+",p=A").Holds(t.Context()); !errors.As(err, &e) || e.Kind != provider.Incomplete {
		t.Error(err)
	}
}
