package proof

import (
	"bytes"
	"encoding/base64"
	"math"
	"strings"
	"sync"

	"github.com/keywright/keywright/scan"
)

// Entropy is the Shannon entropy of b's own byte distribution, in bits per
// byte: 0 for "aaaa", at most log2(len(b)).
func Entropy(b []byte) float64 {
	var count [256]int
	for _, c := range b {
		count[c]++
	}
	var h float64
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(b))
			h -= p * math.Log2(p)
		}
	}
	return h
}

// bigramCost is what a letter costs after another in English words and program
// identifiers: -log2 of its probability in half bits, 'a' being none. It was
// computed from 31,762 words of the documentation and identifiers of Go, Python
// and Perl, each weighted by the logarithm of its count. The mean over those
// words is 3.8 bits, over random letters 6.0.
var bigramCost = [26]string{
	"ojiionkqktmgjgtjugiglmoonr", // a
	"gkjkglnshlrfnnhmuiinhqrrkr", // b
	"gnkmhmogkuhjmofnrjlhkortot", // c
	"hlljelnpfprknninsjinjoommu", // d
	"jniglklqntqjkgolofgipmnjos", // e
	"imkkhgnpfutinmhltijkjupsmv", // f
	"iokoenljhusjmihluhhljpqspo", // g
	"epomeoqpguollmgoxjljktpsmt", // h
	"kkijkkkttspijeiltkihrlwnul", // i
	"flkkgmqohqmnnmgkoohngpntpr", // j
	"hnmmeljlgqnjmkjlqmhkkpmrms", // k
	"gpnjfnpqfwphpognwpjkkorsis", // l
	"fknmeprrgtnmjohgtpjmjrtsnz", // m
	"hoihhkgpirlmolinrohglmqvor", // n
	"llijollqmrmiifkizgijikkpqs", // o
	"gqlnfnnliunhophjufjikqpsmy", // p
	"omklopsmlyykmmomokjlbooqqq", // q
	"goklenlrgvmlklhnvkiilnptlu", // r
	"jpjofooihumlmojjqnieipntkq", // s
	"hplnfnqifvqlmoilwhiklqppkq", // t
	"kijljklsjtphifnjuhhgsruorp", // u
	"fnkodlnqgwqmlnjmtnknqqrprs", // v
	"eomkgnnjgupkoihmrhinpropru", // w
	"hjhjgipnivtmlomgwnkfplrlnt", // x
	"jmkmjnopjvpkghkftlginknoom", // y
	"gmnocoslgrrlmojoznmnmonumj", // z
}

// wordCost bounds, in bits a letter, the mean bigram cost of a word: English
// stays below it, most random letters above.
const wordCost = 5.0

// meanCost is the mean bigram cost of lower-case letters, in bits.
func meanCost(letters []byte) float64 {
	if len(letters) < 2 {
		return 0
	}
	sum := 0
	for i := 1; i < len(letters); i++ {
		sum += int(bigramCost[letters[i-1]-'a'][letters[i]-'a'] - 'a')
	}
	return float64(sum) / 2 / float64(len(letters)-1)
}

// isWord reports whether lower-case letters look like a word or a run of words.
func isWord(letters []byte) bool {
	if len(letters) < 3 {
		return false
	}
	if len(letters) <= maxWord && (fillerWords.Has(string(letters)) || acronyms.Has(string(letters))) {
		return true
	}
	vowels := 0
	for _, c := range letters {
		if strings.IndexByte("aeiouy", c) >= 0 {
			vowels++
		}
	}
	return vowels*5 >= len(letters) && meanCost(letters) < wordCost
}

// asciiLower, asciiUpper, asciiDigit and asciiLetter are of ASCII.
func asciiLower(c byte) bool  { return 'a' <= c && c <= 'z' }
func asciiUpper(c byte) bool  { return 'A' <= c && c <= 'Z' }
func asciiDigit(c byte) bool  { return '0' <= c && c <= '9' }
func asciiLetter(c byte) bool { return asciiLower(c) || asciiUpper(c) }

// pieces calls f with each piece that a programmer would see in value: words of
// camelCase, CONSTANT_CASE, kebab-case and dotted.paths, in lower case. Digits
// and punctuation separate pieces.
func pieces(value []byte, f func(piece []byte)) {
	start := 0
	flush := func(end int) {
		if end > start {
			f(bytes.ToLower(value[start:end]))
		}
		start = end
	}
	for i, c := range value {
		switch {
		case !asciiLetter(c):
			flush(i)
			start = i + 1
		case i > start && asciiUpper(c) && asciiLower(value[i-1]):
			flush(i) // fooBar
		case i > start+1 && asciiLower(c) && asciiUpper(value[i-1]) && asciiUpper(value[i-2]):
			flush(i - 1) // HTTPServer
		}
	}
	flush(len(value))
}

// wordShare is the share of value's letters and digits that stand in words.
// Short digit runs after a word (v2, utf8) count with it.
func wordShare(value []byte) float64 {
	inWords, total, digits := 0, 0, 0
	for _, c := range value {
		if asciiLetter(c) {
			total++
		} else if asciiDigit(c) {
			total++
			digits++
		}
	}
	if total == 0 {
		return 0
	}
	short := 0
	pieces(value, func(p []byte) {
		switch {
		case isWord(p):
			inWords += len(p)
		case len(p) < 3:
			short += len(p)
		}
	})
	if inWords*3 >= total*2 && digits <= 3 {
		inWords += min(digits, 2) + min(short, 2) // "utf8", "toB", "v2"
	}
	return float64(inWords) / float64(total)
}

// LooksLikeIdentifier reports whether value reads as a name rather than as a
// random secret: words of camelCase, snake_case, kebab-case, CONSTANT_CASE,
// a dotted or slashed path, or a plain phrase.
func LooksLikeIdentifier(value []byte) bool {
	if len(value) < 2 || len(value) > 256 {
		return false
	}
	return wordShare(value) >= 0.8
}

// LooksRandom says how much value looks drawn at random, from 0 (a word, a
// sequence) to 1 (a token). It weighs, in bits, what value costs as a name
// (bigrams of English, a price for each change of case or to digits) against
// what it costs as random text of its own alphabet: the longer the text, the
// surer the answer. Names stay below 0.5, tokens of 16 characters and more
// above it.
func LooksRandom(value []byte) float64 {
	if len(value) < 4 || sequential(value) || periodic(value) {
		return 0
	}
	const doubt, scale = 5, 4 // bits
	odds := (nameCost(value) - randomCost(value) - doubt) / scale
	return 1 / (1 + math.Exp2(-odds))
}

// What nameCost charges, in bits.
const (
	costStart  = 4.2 // the first letter of a piece
	costCase   = 5   // a small letter before a capital, capitals before a small letter
	costDigit  = 10  // a digit after a letter, a letter after a digit
	costDigits = 3.4 // a digit after a digit
	costOdd    = 3.5 // punctuation that names do not hold
)

// nameCost is what value costs as a name, in bits.
func nameCost(value []byte) float64 {
	var cost float64
	var before byte // the class of the byte before
	for i, c := range value {
		kind := byteClass(c)
		switch {
		case kind == 0 && strings.IndexByte("-_./: ", c) < 0:
			cost += costOdd
		case kind == 0:
		case kind == '0' && (before == '0' || before == 0):
			cost += costDigits
		case kind == '0' || before == '0':
			cost += costDigit
		case before == 0:
			cost += costStart
		case before == 'a' && kind == 'A':
			cost += costStart + costCase
		default: // the next letter of a word
			cost += float64(bigramCost[value[i-1]|0x20-'a'][c|0x20-'a']-'a') / 2
			if before == 'A' && kind == 'a' && i > 1 && asciiUpper(value[i-2]) {
				cost += costCase
			}
		}
		before = kind
	}
	return cost
}

// randomCost is what value's letters and digits cost as random text of the
// smallest usual alphabet that holds them, in bits.
func randomCost(value []byte) float64 {
	const hexadecimal, base32 = 1, 2
	fits := hexadecimal | base32
	n := 0
	var lower, upper, digit bool
	for _, c := range value {
		kind := byteClass(c)
		if kind == 0 {
			continue
		}
		n++
		lower, upper, digit = lower || kind == 'a', upper || kind == 'A', digit || kind == '0'
		if !asciiHex(c) {
			fits &^= hexadecimal
		}
		if kind == '0' && (c < '2' || c > '7') {
			fits &^= base32
		}
	}
	size := 0
	if lower {
		size += 26
	}
	if upper {
		size += 26
	}
	if digit {
		size += 10
	}
	switch {
	case !lower && !upper || n == 0:
		size = 10
	case lower && upper:
	case fits&hexadecimal != 0 && digit:
		size = 16
	case fits&base32 != 0:
		size = 32
	}
	return float64(n) * math.Log2(float64(size))
}

func byteClass(c byte) byte {
	switch {
	case asciiDigit(c):
		return '0'
	case asciiLower(c):
		return 'a'
	case asciiUpper(c):
		return 'A'
	}
	return 0
}

// LooksLikePassword reports whether value could be a chosen password: 8 to 64
// visible characters of at least three classes (lower, upper, digit, symbol),
// neither a placeholder nor a name, a path or an address.
func LooksLikePassword(value []byte) bool {
	if len(value) < 8 || len(value) > 64 || Placeholder(value) {
		return false
	}
	if !bytes.ContainsAny(value, "!@#$%^&*+=?~|,;") && LooksLikeIdentifier(value) {
		return false
	}
	if bytes.Contains(value, []byte("://")) || value[0] == '/' || value[0] == '.' {
		return false
	}
	seen := map[byte]bool{}
	for _, c := range value {
		if c < ' ' || c > '~' {
			return false
		}
		seen[byteClass(c)] = true
	}
	return len(seen) >= 3
}

// sequential reports whether nearly every byte follows the one before it, up
// or down: 123456, abcdef, 0123456789abcdef, 987654.
func sequential(value []byte) bool {
	if len(value) < 4 {
		return false
	}
	up, down := 0, 0
	for i := 1; i < len(value); i++ {
		switch {
		case follows(value[i-1], value[i]):
			up++
		case follows(value[i], value[i-1]):
			down++
		}
	}
	return max(up, down)*10 >= (len(value)-1)*8
}

// follows reports whether b comes after a in counting or in the alphabet.
func follows(a, b byte) bool {
	switch {
	case a == '9':
		return b == '0' || b == 'a' || b == 'A'
	case a == 'z' || a == 'Z':
		return b == '0' || b == '1' || b == 'a' || b == 'A'
	}
	return b == a+1 && byteClass(a) == byteClass(b) && byteClass(a) != 0
}

// periodic reports whether value is one text at least twice, or holds at most
// two different characters besides separators.
func periodic(value []byte) bool {
	if len(value) < 4 {
		return false
	}
	value = value[:min(len(value), 1024)] // comparing takes time by the square of it
	for p := 1; p <= len(value)/2; p++ {
		if bytes.Equal(value[p:], value[:len(value)-p]) {
			return true
		}
	}
	var seen [256]bool
	distinct := 0
	for _, c := range value {
		if strings.IndexByte("-_./: ", c) < 0 && !seen[c] {
			seen[c] = true
			distinct++
		}
	}
	return distinct <= 2
}

// placeholderMarks are texts that no random secret contains and every author of
// an example does. They are compared in lower case.
var placeholderMarks = lazyMarks(
	"example", "placeholder", "changeme", "change-me", "change_me", "change this", "changethis",
	"replaceme", "replace_me", "replace-me", "replace_with", "replace-with", "redacted",
	"your_", "your-", "your ", "youra", "yours", "yourt", "yourp", "yourk", "insert_", "insert-",
	"xxxxx", "*****", "dummy", "sample", "notreal", "not-real", "not_real", "fakekey", "faketoken",
	"fakesecret", "123456789", "987654321", "abcdefgh", "deadbeef", "cafebabe", "lorem", "foobar",
	"qwerty", "asdfgh", "todo:", "fixme", "goes_here", "goes-here", "goeshere", "here>", "0000000000",
)

// templatePairs open and close an expression that another program fills in.
var templatePairs = [...][2]string{
	{"${", "}"}, {"{{", "}}"}, {"$(", ")"}, {"#{", "}"}, {"<%", "%>"}, {"%(", ")s"}, {"@{", "}"}, {"[[", "]]"},
	{"!{", "}"}, {"{%", "%}"}, {"<<", ">>"},
}

// templateMarks are what expressions are made of that fetch a secret elsewhere.
var templateMarks = lazyMarks(
	"process.env", "os.environ", "getenv", "env[", "env.", "secrets.", "vault:", "op://", "keywright://",
	"ssm:", "arn:aws:", "!vault", "!ref", "!sub", "file://", "env://", "awssm:", "sops:", "doppler:",
	"keyvault", "config.get", "...", "…",
)

// formatMarks stand in texts that are filled in, and by chance in passwords of
// many signs.
var formatMarks = lazyMarks("%s", "%d", "%v", "%q", "{}", "{0}")

// templateOpenings are what templatePairs open with.
var templateOpenings = sync.OnceValue(func() *marks {
	var texts []string
	for _, pair := range templatePairs {
		texts = append(texts, pair[0])
	}
	return marksOf(texts)
})

// Placeholder reports whether value stands in for a secret instead of being
// one: empty, repeated or sequential characters, a template (${NAME}, {{ x }},
// <token>), a call, or words that say so (your_api_key, changeme, test-secret).
func Placeholder(value []byte) bool {
	value = bytes.Trim(value, " \t\r\n\"'`")
	if len(value) < 2 || periodic(value) || sequential(value) {
		return true
	}
	lower := bytes.ToLower(value)
	return template(lower) || placeholderMarks().in(lower) || writtenOver(lower) || vocabularyOnly(lower)
}

// writtenOver reports whether stretches of lower were, as in 3fXXX9aXXXb.
func writtenOver(lower []byte) bool { return bytes.Count(lower, []byte("xxx")) > 1 }

// template reports whether lower is an expression that is filled in later.
func template(lower []byte) bool {
	if templateMarks().in(lower) {
		return true
	}
	if formatMarks().in(lower) && LooksRandom(lower) < 0.8 {
		return true
	}
	if templateOpenings().in(lower) && filledIn(lower) {
		return true
	}
	first, last := lower[0], lower[len(lower)-1]
	switch {
	case first == '<' && last == '>', first == '{' && last == '}', first == '[' && last == ']',
		first == '%' && last == '%', first == '(' && last == ')':
		return true
	case first == '$' && len(lower) > 1 && isName(lower[1:]):
		return true // $NAME
	case bytes.HasPrefix(lower, []byte("__")) && bytes.HasSuffix(lower, []byte("__")),
		bytes.HasPrefix(lower, []byte("@@")):
		return true
	}
	return isCall(lower)
}

// filledIn reports whether something that is named stands between two signs of a
// template.
func filledIn(lower []byte) bool {
	for _, pair := range templatePairs {
		if _, rest, ok := bytes.Cut(lower, []byte(pair[0])); ok {
			if inside, _, ok := bytes.Cut(rest, []byte(pair[1])); ok && startsName(inside) {
				return true
			}
		}
	}
	return false
}

// startsName reports whether b begins as the inside of a template does: with two
// characters of names, after blanks and marks.
func startsName(b []byte) bool {
	b = bytes.TrimLeft(b, " -.$!=?:\"'")
	return len(b) >= 2 && isName(b[:2]) || len(b) == 1 && isName(b)
}

// marks are texts of at least two bytes to look for, all of them at once: most pairs
// of bytes begin none.
type marks struct {
	pairs [1 << 10]bool // by the low five bits of the first two bytes
	texts [1 << 5][]string
}

func marksOf(texts []string) *marks {
	m := &marks{}
	for _, t := range texts {
		m.pairs[markPair(t[0], t[1])] = true
		m.texts[t[0]&31] = append(m.texts[t[0]&31], t)
	}
	return m
}

// lazyMarks are made when they are first asked for: most scans never ask.
func lazyMarks(texts ...string) func() *marks {
	return sync.OnceValue(func() *marks { return marksOf(texts) })
}

func markPair(a, b byte) int { return int(a&31)<<5 | int(b&31) }

// in reports whether b holds any of the texts.
func (m *marks) in(b []byte) bool {
	for i := 1; i < len(b); i++ {
		if !m.pairs[markPair(b[i-1], b[i])] {
			continue
		}
		for _, t := range m.texts[b[i-1]&31] {
			if rest := b[i-1:]; len(rest) >= len(t) && string(rest[:len(t)]) == t {
				return true
			}
		}
	}
	return false
}

// isName reports whether b is an identifier or a dotted path of them.
func isName(b []byte) bool {
	for i, c := range b {
		if !asciiLetter(c) && c != '_' && (i == 0 || !asciiDigit(c) && c != '.') {
			return false
		}
	}
	return len(b) > 0
}

// isCall reports whether b is a name with arguments: get_secret("x").
func isCall(b []byte) bool {
	b = bytes.TrimRight(b, ";,")
	i := bytes.IndexByte(b, '(')
	return i > 0 && isName(b[:i]) && bytes.HasSuffix(b, []byte(")"))
}

// vocabularyOnly reports whether lower consists of words of examples, at most
// four further digits or a sequence of them, and punctuation.
func vocabularyOnly(lower []byte) bool {
	letters := 0
	for i := 0; i < len(lower); {
		c := lower[i]
		j := i + 1
		switch {
		case asciiLower(c):
			for j < len(lower) && asciiLower(lower[j]) {
				j++
			}
			if !segmented(lower[i:j]) {
				return false
			}
			letters += j - i
		case asciiDigit(c):
			for j < len(lower) && asciiDigit(lower[j]) {
				j++
			}
			if run := lower[i:j]; len(run) > 4 && !sequential(run) && !periodic(run) {
				return false
			}
		case c >= 0x80:
			return false
		}
		i = j
	}
	return letters*2 >= len(lower)
}

// maxWord is the length of the longest entry of fillerWords.
const maxWord = 15

// segmented reports whether letters can be cut into entries of fillerWords.
func segmented(letters []byte) bool {
	if len(letters) > 64 {
		return false
	}
	var ok [65]bool
	ok[0] = true
	for end := 1; end <= len(letters); end++ {
		for start := max(0, end-maxWord); start < end && !ok[end]; start++ {
			ok[end] = ok[start] && fillerWords.Has(string(letters[start:end]))
		}
	}
	return ok[len(letters)]
}

// fillerWords are what placeholders, defaults and examples are made of.
var fillerWords = WordSet{List: `
	a an the this that is my your our some any here there put set enter add insert
	replace change me with in on from for to of at by or and not no yes do dont use
	using only must be should will can it as if then than more less one two three first second third
	real actual own new old current previous default test tests testing tester dev devel
	develop developer development prod production stage staging local localhost demo
	sample samples example examples dummy fake mock mocked stub foo bar baz qux quux foobar hoge fuga piyo
	api app application apps key keys token tokens secret secrets password passwords passwd
	pass pwd passphrase passcode pin auth authentication authorization access client id ids
	user users username name value values val string str text credential credentials cred creds private public
	pub priv admin administrator root guest owner member postgres postgresql mysql mariadb mongo
	mongodb redis rabbit rabbitmq minio elastic elasticsearch kibana grafana sonar jenkins nexus tomcat
	db database sql master primary server service account accounts acc bearer basic oauth
	jwt jws hmac sign signed signing signature encrypt encryption crypto session sessions cookie base
	url uri host port email mail hash salt pepper super very long longer short strong weak secure security safe random
	unique please todo fixme tbd none null nil undefined empty blank optional required hidden
	redacted masked removed omitted censored placeholder temp tmp temporary invalid wrong bad
	correct valid good true false x xx xxx xyz abc abcd abcdef asdf qwe qwer qwerty hello
	world letmein welcome monkey dragon chars characters character char min minimum max least length byte bytes bit bits hex
	env var variable config configuration conf cfg setting settings param parameter arg
	github gitlab bitbucket stripe aws google gcp azure openai anthropic slack twilio sendgrid firebase supabase
	heroku docker npm pypi sentry datadog cloudflare binance bybit kraken coinbase okx infura alchemy discord telegram
	thing stuff whatever something anything everything generated generate generator create created get
	got fetch load read write make made same different other another
	webhook hook bot project org organization team tenant workspace app web site
	goes like such random foo super simple easy plain clear
	verysecret supersecret topsecret top mysecret mytoken mypassword secretkey
	initial init start end data file path dir folder type kind field input output result
	integration unit spec fixture fixtures
	january february march april may june july august september october november december
	spring summer autumn winter
`}

// acronyms are pieces of identifiers that no bigram table takes for words.
var acronyms = WordSet{List: `
	http https xml html json yaml toml url sql css dns ssl tls ssh ftp sftp smtp tcp udp rpc grpc
	gpg pgp rsa dsa aes des cbc gcm pem csr crl crt kms cdn cli cpu gpu ctx str ptr btn msg src dst
	img pkg cmd std fmt lib mgmt mgr num svc srv sys txt vpc vpn xhr rgb utf pdf png csv jpg
`}

// WordSet is a set of words, made when it is first asked: most scans never ask. It is
// safe for concurrent use.
type WordSet struct {
	List string // words between white space

	once sync.Once
	set  map[string]bool
}

// Has reports whether a word is in the set.
func (s *WordSet) Has(w string) bool {
	s.once.Do(func() {
		s.set = map[string]bool{}
		for w := range strings.FieldsSeq(s.List) {
			s.set[w] = true
		}
	})
	return s.set[w]
}

// UUID reports whether value is a UUID in its usual form, in either case, with
// or without braces.
func UUID(value []byte) bool {
	value = bytes.TrimSuffix(bytes.TrimPrefix(value, []byte("{")), []byte("}"))
	if len(value) != 36 {
		return false
	}
	for i, c := range value {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if !asciiHex(c) {
			return false
		}
	}
	return true
}

func asciiHex(c byte) bool { return asciiDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// hashNames are the digests whose hexadecimal forms have these lengths.
var hashNames = map[int]string{
	32: "MD5", 40: "SHA-1", 56: "SHA-224", 64: "SHA-256", 96: "SHA-384", 128: "SHA-512",
}

// Hash names the digest that value has the form of: hexadecimal digits of one
// case and of a digest's length, with or without "sha256:" and kin before them,
// or a subresource integrity value ("sha512-…=="). It is empty for other values.
// Keys have such forms too: a label has to tell.
func Hash(value []byte) string {
	lower := strings.ToLower(string(value))
	for _, algorithm := range [...]string{"md5", "sha1", "sha224", "sha256", "sha384", "sha512"} {
		rest, ok := strings.CutPrefix(lower, algorithm)
		if !ok || len(rest) < 17 {
			continue
		}
		if strings.IndexByte("-:=", rest[0]) >= 0 {
			return integrity(algorithm, value[len(algorithm)+1:])
		}
	}
	if oneCaseHex(value) {
		return hashNames[len(value)]
	}
	return ""
}

// integrity names the digest when what follows its prefix is hexadecimal or
// base 64 of at least 16 bytes.
func integrity(algorithm string, rest []byte) string {
	name := strings.ToUpper(strings.Replace(algorithm, "sha", "sha-", 1))
	if oneCaseHex(rest) {
		return name
	}
	if raw, err := base64.StdEncoding.DecodeString(string(rest)); err == nil && len(raw) >= 16 {
		return name
	}
	return ""
}

// oneCaseHex reports whether b is hexadecimal digits in one case.
func oneCaseHex(b []byte) bool { return allOf(b, scan.LowerHex) || allOf(b, scan.UpperHex) }
