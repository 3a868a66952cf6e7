// Package proof holds the offline checks that turn "looks like a credential"
// into "is one": checksums, curve points, parses, and relations between parts.
//
// Every check is a pure function of a scan.Candidate. It answers with
//   - scan.Holds: the proof succeeded; the reason names what held;
//   - scan.Fails: the shape is right and the proof contradicts it;
//   - the zero Evidence: the shape alone speaks;
//   - scan.Rejected: this is no credential at all.
//
// Evidence carries a public identifier (an address, a public key) where one can
// be derived, and a cap on confidence for what needs a passphrase (medium) or is
// known to the whole world (low). No reason or identifier holds secret bytes.
//
// Nothing is computed when the program starts; tables are constants or built on
// first use. All functions are safe for concurrent use, never panic, and cost
// microseconds at most before their cheap checks have passed.
package proof
