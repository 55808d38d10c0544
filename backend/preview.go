package backend

// Preview returns the beginning of the message's text (RFC 8970): message.PreviewLength characters
// at most. With lazy, ok is false where that would take long: where the message is not small.
func (f *File) Preview(lazy bool) (text string, ok bool, err error) {
	if lazy && f.Size() > small {
		return "", false, nil
	}
	s, err := f.Structure()
	if err != nil {
		return "", false, err
	}
	text, err = s.Preview(f)
	return text, err == nil, err
}
