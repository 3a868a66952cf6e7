package proof

var testKeys = [...]testKey{}
