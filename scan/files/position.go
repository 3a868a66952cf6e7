package files

import "bytes"

// after is the position behind skipped bytes that begin at the given position.
// Head is the beginning of the file: with a byte order mark, a line ends at a
// two-byte line feed.
func after(line, column int, skipped, head []byte) (int, int) {
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return afterWide(line, column, skipped, 1)
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return afterWide(line, column, skipped, 0)
	}
	n := bytes.Count(skipped, []byte{'\n'}) // much faster than looking for the last one in vain
	if n == 0 {
		return line, column + len(skipped)
	}
	return line + n, len(skipped) - bytes.LastIndexByte(skipped, '\n')
}

// afterWide is after for UTF-16, with the higher byte of each pair at index high.
// Skipped begins at an even offset of the file.
func afterWide(line, column int, skipped []byte, high int) (int, int) {
	column += len(skipped)
	for i := 0; i+1 < len(skipped); i += 2 {
		if skipped[i+high] == 0 && skipped[i+1-high] == '\n' {
			line++
			column = len(skipped) - (i + 2) + 1
		}
	}
	return line, column
}
