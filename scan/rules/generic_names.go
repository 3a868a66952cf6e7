package rules

import (
	"bytes"

	"github.com/keywright/keywright/scan/proof"
)

// nameClass says what a name promises about its value.
type nameClass uint8

const (
	kindNone     nameClass = iota
	kindPassword           // chosen by a person, perhaps
	kindSecret             // either
	kindKey                // made by a machine
	kindWeakKey            // the same, and many a harmless value is called that
)

// nameKind judges a variable's, field's or option's name: which of its words is
// the keyword, and whether the words round it make it a label for something
// else (a count, a path, a header's name, a public key).
func nameKind(name []byte) nameClass {
	words := nameWords(name)
	at, kind := -1, kindNone
	for i, w := range words {
		before := ""
		if i > 0 {
			before = words[i-1].text
		}
		if k := wordKind(w.text, before); k != kindNone {
			at, kind = i, k
		}
	}
	if at < 0 {
		return kindNone
	}
	for i, w := range words {
		switch {
		case i > at && tailStops.Has(w.text):
			return kindNone
		case i < at && w.segment == words[at].segment && headStops.Has(w.text), i < at && pathStops.Has(w.text):
			return kindNone
		}
	}
	return kind
}

// nameWord is a lower-case word of a name, and in which of its dotted segments
// it stands.
type nameWord struct {
	text    string
	segment int
}

// nameWords cuts a name into lower-case words at punctuation, digits and the
// changes of case in camel case.
func nameWords(name []byte) []nameWord {
	var words []nameWord
	start, segment := 0, 0
	flush := func(end int) {
		if end > start {
			words = append(words, nameWord{string(bytes.ToLower(name[start:end])), segment})
		}
		start = end
	}
	for i, c := range name {
		switch {
		case !letterByte(c):
			flush(i)
			start = i + 1
			if c == '.' {
				segment++
			}
		case i > start && upperByte(c) && !upperByte(name[i-1]):
			flush(i) // fooBar
		case i > start+1 && !upperByte(c) && upperByte(name[i-1]) && upperByte(name[i-2]):
			flush(i - 1) // HTTPServer
		}
	}
	flush(len(name))
	return words
}

func letterByte(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func upperByte(c byte) bool  { return 'A' <= c && c <= 'Z' }
func digitByte(c byte) bool  { return '0' <= c && c <= '9' }

// wordKind is the kind that a word, or a word after another, stands for.
func wordKind(w, before string) nameClass {
	if k, ok := keywords[w]; ok {
		return k
	}
	if w == "key" || w == "keys" {
		if keyHeads.Has(before) {
			return kindKey
		}
		return kindNone
	}
	// words written together: dbpassword, authtoken, secretkey, apikey
	for _, k := range [...]string{"password", "passwd", "passphrase", "passwort", "pwd", "pass"} {
		if rest, ok := bytes.CutSuffix([]byte(w), []byte(k)); ok && !notKeywords.Has(w) && (len(k) > 4 || passHeads.Has(string(rest))) {
			return kindPassword
		}
	}
	if rest, ok := bytes.CutSuffix([]byte(w), []byte("key")); ok && keyHeads.Has(string(rest)) {
		return kindKey
	}
	if rest, ok := bytes.CutSuffix([]byte(w), []byte("secret")); ok && len(rest) >= 2 && !notKeywords.Has(w) {
		return kindSecret
	}
	if rest, ok := bytes.CutSuffix([]byte(w), []byte("token")); ok && !headStops.Has(string(rest)) && !notKeywords.Has(w) {
		return kindKey
	}
	if rest, ok := bytes.CutPrefix([]byte(w), []byte("secret")); ok && keyHeads.Has(string(bytes.TrimSuffix(rest, []byte("key")))) {
		return kindKey // secretaccesskey
	}
	return kindNone
}

// keywords are the words that promise a confidential value by themselves.
var keywords = map[string]nameClass{
	"password": kindPassword, "passwords": kindPassword, "passwd": kindPassword, "passphrase": kindPassword,
	"passwort": kindPassword, "pass": kindPassword, "pwd": kindPassword,
	"secret": kindSecret, "secrets": kindSecret, "credential": kindSecret, "credentials": kindSecret,
	"token": kindWeakKey, "tokens": kindWeakKey,
}

// keyHeads come before "key" where the key is confidential.
var keyHeads = proof.WordSet{List: `
	api access private priv secret encrypt encryption sign signing signature auth authentication
	master account storage shared session service admin app application license hmac jwt cipher
	crypt crypto deploy root data jws aes consumer client
`}

// passHeads come before "pass" and "pwd" in words written together.
var passHeads = proof.WordSet{List: `
	db user admin root my mysql pg postgres redis mongo ldap smtp mail email ftp sftp ssh sudo sql
	http https proxy rpc login basic auth keystore key store cert ssl tls wifi rabbit amqp imap pop
`}

// notKeywords contain a keyword and are none.
var notKeywords = proof.WordSet{List: `
	bypass compass trespass surpass underpass overpass nonsecret notoken nopassword
	eostoken bostoken padtoken unktoken masktoken septoken clstoken subtoken nontoken pretoken
	cancellationtoken skiptoken csrftoken xsrftoken nexttoken pagetoken nextpagetoken synctoken continuationtoken
	stoptoken peektoken lasttoken firsttoken curtoken currenttoken prevtoken
`}

// headStops before the keyword make it something that is not confidential, or
// not a value at all.
var headStops = proof.WordSet{List: `
	public pub csrf xsrf next page paging pagination cursor continuation continue sync cancel cancellation
	stop skip abort design syntax lexer lex parser parse peek eos bos pad unk mask sep cls special
	no non not has have is are was should can need needs show hide toggle reset forgot forget forgotten
	invalid missing wrong bad incorrect expired empty blank min max num count total allow allowed
	require required requires enable enabled disable disabled use uses supports
	exporter hashed encrypted digest hash sha md5 sha1 sha256 checksum
	primary foreign partition sort cache idempotency publishable site i18n intl msg message label
	error err errors placeholder title placeholdertext aria lbl txt warning info help hint
	authenticity antiforgery verification requestverification anti forgery nonce state request change changed changes
	fcm push device registration apns
`}

// pathStops are the words of headStops that count in any dotted segment.
var pathStops = proof.WordSet{List: `i18n intl label labels message messages msg error errors placeholder title help hint text texts translation translations locale`}

// tailStops after the keyword make it a label for something else.
var tailStops = proof.WordSet{List: `
	count counts name names field fields label labels type types kind length len size min max minlength maxlength
	path paths file files filename filepath filenames dir directory folder location url uri urls endpoint host hosts
	hash hashes hashed digest salt checksum sum sha md5 sha1 sha256 fingerprint
	id ids identifier arn uuid guid version versions revision
	expiry expires expiration expire expired expirein expiresin ttl timeout lifetime age duration date time
	created updated changed modified at since until
	regex regexp pattern patterns policy policies rule rules format formats prefix suffix separator delimiter
	header headers param params parameter parameters query cookie attribute attributes attr column table index
	placeholder hint text message messages msg error errors warning title description desc help prompt info
	input inputs button btn link page form dialog modal view screen widget element class style icon color css selector
	reset resets change changes changing update updated verify verification confirm confirmation confirmed
	limit limits usage used quota budget algo algorithm algorithms method methods mode modes
	enabled disabled enable disable required optional allowed supported valid invalid validation validator validators
	strength length generator factory provider providers manager service services handler handlers callback
	listener store env variable var vars ref refs reference arg args option options config settings
	list map set array object stream streams iterator parser lexer chars charset alphabet characters symbols
	model schema interface struct request response result status state step flow grant issuer audience scope scopes
	is has exists missing mismatch empty blank changed
	i18n key keys label public pub bucket project region usr user username login email account
	classification position pos line start end begin offset
	encoding encoder encoded encryption encrypted encrypter decoder rotation
	review reviewer signature signatures access resource resources
`}
