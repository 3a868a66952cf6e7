package proof

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/keywright/keywright/scan"
)

// An azureKind is one kind of Azure key with a signature of four characters
// before the last six and a Marvin checksum in its last four bytes.
// Source: microsoft/security-utilities, IdentifiableMetadata.
type azureKind struct {
	name      string
	signature string
	size      int      // bytes
	seeds     []string // any of these
	verified  bool     // seen to hold on published samples: a mismatch means something
}

var azureKinds = [...]azureKind{
	{"Azure Storage", "+ASt", 64, []string{"Default0"}, true},
	{"Azure Cosmos DB", "ACDb", 64, []string{"MastRW00", "MastRO00", "SysAll00", "SystRO00", "SystRW00", "Resour00", "Encryp00"}, true},
	{"Azure Cache for Redis", "AzCa", 32, []string{"Access00"}, true},
	{"Azure Service Bus", "+ASb", 32, azureMessagingSeeds, false},
	{"Azure Event Hubs", "+AEh", 32, azureMessagingSeeds, false},
	{"Azure Relay", "+ARm", 32, azureMessagingSeeds, false},
	{"Azure Batch", "+ABa", 64, []string{"AbAcct00"}, false},
	{"Azure IoT", "AIoT", 32, []string{"IoTHub00", "DpsKey00", "Device00"}, false},
	{"Azure AI Search", "AzSe", 39, []string{"Query000", "PAdmin00"}, false},
	{"Azure Functions", "AzFu", 40, []string{"Master00", "System00", "Functi00"}, false},
	{"Azure Container Registry", "+ACR", 39, []string{"ACRDflt0"}, false},
	{"Azure API Management", "APIM", 64, []string{"Tenant00", "IoTHub00", "Gatewy00", "GitKey00"}, false},
	{"Azure Machine Learning", "+AMC", 64, []string{"Classic0"}, false},
}

var azureMessagingSeeds = []string{"Send0000", "Listen00", "Manage00", "System00", "Unknown0"}

// AzureKey proves the keys of Azure services that carry a signature: Storage
// (+ASt), Cosmos DB (ACDb), Redis (AzCa), Service Bus, Event Hubs, Relay, Batch,
// IoT, Search, Functions, Container Registry, API Management and Machine
// Learning. Keys without a known signature (those made before about 2022) cannot
// be told. The keys of the Azurite and Cosmos DB emulators are published.
func AzureKey(c scan.Candidate) scan.Evidence {
	secret := c.Secret()
	if e, ok := publishedExample(secret); ok {
		return e
	}
	raw, text := decodeBase64Any(secret)
	if len(raw) < 24 || len(text) < 10 {
		return scan.Evidence{}
	}
	body, sum := raw[:len(raw)-4], binary.LittleEndian.Uint32(raw[len(raw)-4:])
	signature := text[len(text)-10 : len(text)-6]
	for i := range azureKinds {
		k := &azureKinds[i]
		if k.signature != signature {
			continue
		}
		for _, seed := range k.seeds {
			if marvin32(body, seed) == sum {
				return scan.Holds("Marvin checksum of an " + k.name + " key matches")
			}
		}
		if k.verified {
			return scan.Fails("Marvin checksum of an " + k.name + " key" + mismatch)
		}
	}
	return scan.Evidence{}
}

// decodeBase64Any decodes base 64 of either alphabet, padded or not, and returns
// the text without padding in the standard alphabet. It returns nil bytes if b is
// neither.
func decodeBase64Any(b []byte) (raw []byte, text string) {
	text = strings.TrimRight(string(b), "=")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, text
	}
	return raw, text
}

// The layout of a common annotated security key ("CASK"), in characters:
// 52 random, "JQQJ9" and a kind, year, month, 12 of the platform, 4 of the
// provider, the provider's signature, a checksum of 4.
const (
	caskMark     = 52
	caskYear     = 58
	caskProvider = 76
	caskSum      = 80
)

// AzureCASK proves the 84- or 88-character keys that newer Azure services and
// Azure DevOps issue. The month in which the key was made is told in the reason.
// Source: microsoft/security-utilities, IdentifiableSecrets.
func AzureCASK(c scan.Candidate) scan.Evidence {
	key := string(c.Secret())
	if len(key) != 84 && len(key) != 88 || !strings.HasPrefix(key[caskMark:], "JQQJ9") {
		return scan.Evidence{}
	}
	body, err := base64.StdEncoding.DecodeString(key[:caskSum])
	if err != nil {
		return scan.Evidence{}
	}
	sum := marvin32(body, "Default0")
	little := binary.LittleEndian.AppendUint32(nil, sum)
	got := key[caskSum : caskSum+4]
	if got != caskBase62(little)[:4] && got != base64.StdEncoding.EncodeToString(little)[:4] {
		return scan.Fails("Marvin checksum" + mismatch)
	}
	reason := "Marvin checksum matches"
	if made := caskMonth(key); made != "" {
		reason += "; made in " + made
	}
	return scan.Holds(reason)
}

// caskBase62 writes the bytes, read as one big-endian number, in base 62, padded
// with zeros on the right to six digits; each leading zero byte is a zero digit.
func caskBase62(b []byte) string {
	zeros := 0
	for zeros < len(b)-1 && b[zeros] == 0 {
		zeros++
	}
	s := strings.Repeat("0", zeros) + digits(binary.BigEndian.Uint32(b), base62UpperFirst, 1)
	return s + strings.Repeat("0", max(0, 6-len(s)))
}

// caskMonth reads the year and month in which a key was made: "2025-03".
func caskMonth(key string) string {
	year := strings.IndexByte(scan.Base64Std, key[caskYear])
	month := int(key[caskYear+1]) - 'A'
	if year < 0 || year > 61 || month < 0 || month > 11 {
		return ""
	}
	return fmt.Sprintf("%d-%02d", 2024+year, month+1)
}

// entraAlphabet is the base-66 alphabet of Entra client secrets.
const entraAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890.-_~"

// EntraSecret proves the 40-character client secrets of Microsoft Entra ID
// ("8Q~" in the fourth place): the last three characters begin the base-66
// Marvin checksum of the other 37. Secrets with "7Q~" have no checksum.
func EntraSecret(c scan.Candidate) scan.Evidence {
	secret := c.Secret()
	if len(secret) != 40 || string(secret[3:6]) != "8Q~" {
		return scan.Evidence{}
	}
	if string(secret) == "zzz8Q~"+strings.Repeat("z", 31)+"blP" {
		return exampleOf("Microsoft's security utilities")
	}
	return matches(entraSum(secret[:37]) == string(secret[37:]), "Marvin checksum")
}

func entraSum(head []byte) string {
	return digits(marvin32(head, "AadPwd00"), entraAlphabet, 6)[:3]
}

// The constants that Azure DevOps mixes into the CRC-32 of a legacy token.
const (
	devOpsUser = 0xE0B9692D
	devOpsApp  = 0x1019F92E
)

// devOpsSumAt are the places of the checksum's bytes, most significant first.
var devOpsSumAt = [4]int{2, 7, 8, 22}

// AzureDevOpsPAT proves the 52-character legacy personal access tokens of Azure
// DevOps: four of their 32 bytes are a CRC-32 of the rest. No public sample of a
// real token was at hand, so a mismatch is not held against a candidate.
func AzureDevOpsPAT(c scan.Candidate) scan.Evidence {
	raw := decodeDevOps(c.Secret())
	if raw == nil {
		return scan.Evidence{}
	}
	var got uint32
	for _, i := range devOpsSumAt {
		got = got<<8 | uint32(raw[i])
	}
	sum := crc32IEEE(devOpsBody(raw))
	if got == sum^devOpsUser || got == sum^devOpsApp {
		return scan.Holds("CRC-32 matches")
	}
	return scan.Evidence{}
}

func decodeDevOps(secret []byte) []byte {
	if len(secret) != 52 {
		return nil
	}
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(string(secret)))
	if err != nil || len(raw) != 32 {
		return nil
	}
	return raw
}

// devOpsBody is raw without the checksum's bytes.
func devOpsBody(raw []byte) []byte {
	return slices.Concat(raw[:2], raw[3:7], raw[9:22], raw[23:])
}
