package postmortem

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// systemd-coredump stores a core as one compressed stream that can only be read from its start. A stream reader therefore
// keeps blocks: those at the start (headers and notes), those that were asked for in advance in one pass over the stream,
// and the ones around each later read, at the price of another pass. Nothing is unpacked to disk, and memory stays bounded.
const (
	blockSize   = 64 << 10
	maxBlocks   = 512      // 32 MiB of decoded blocks
	readAhead   = 4        // blocks kept behind a read that had to seek
	decoderRoom = 16 << 20 // window memory of a decoder; what zstd -19 and xz -6 need
	maxPasses   = 200      // passes over the stream, so that a hostile file cannot cost hours
)

// prefetcher is a reader for which it pays to know in advance what will be read.
type prefetcher interface{ prefetch(ranges []fileSpan) }

// fileSpan is a range of file offsets.
type fileSpan struct{ off, size uint64 }

// decompressed returns a reader of the core's bytes and their number, 0 when that is unknown because it is compressed and
// bears no mark of it.
func decompressed(f io.ReaderAt, size uint64) (io.ReaderAt, uint64, error) {
	var magic [6]byte
	n, err := f.ReadAt(magic[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	for _, k := range compressions {
		if bytes.HasPrefix(magic[:n], k.magic) {
			return &stream{file: f, size: int64(size), kind: k, blocks: map[uint64][]byte{}}, markedSize(f, size), nil
		}
	}
	return f, size, nil
}

// compression is one format that cores come in.
type compression struct {
	name  string
	magic []byte
	open  func(io.Reader) (io.Reader, error)
}

var compressions = []compression{
	{"zstd", []byte{0x28, 0xb5, 0x2f, 0xfd}, func(r io.Reader) (io.Reader, error) {
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(decoderRoom))
		if err != nil {
			return nil, err
		}
		return d, nil
	}},
	{"gzip", []byte{0x1f, 0x8b}, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
	{"lz4", []byte{0x04, 0x22, 0x4d, 0x18}, func(r io.Reader) (io.Reader, error) { return lz4.NewReader(r), nil }},
	{"xz", []byte{0xfd, '7', 'z', 'X', 'Z', 0}, func(r io.Reader) (io.Reader, error) {
		return xz.ReaderConfig{DictCap: decoderRoom, SingleStream: false}.NewReader(r)
	}},
}

// stream is random access over a compressed file, see above.
type stream struct {
	file   io.ReaderAt
	size   int64
	kind   compression
	r      io.Reader // nil before the first pass
	pos    uint64    // offset of the next decoded byte
	passes int
	end    uint64 // where the stream ended or failed; valid when failed is set
	failed error
	blocks map[uint64][]byte // by block number; the last block of the stream may be short
	recent []uint64          // block numbers by age, oldest first
}

// ReadAt implements io.ReaderAt over the decompressed bytes.
func (s *stream) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		at := uint64(off) + uint64(done)
		b, err := s.block(at / blockSize)
		if err != nil {
			return done, err
		}
		within := int(at % blockSize)
		if within >= len(b) {
			return done, s.failed
		}
		done += copy(p[done:], b[within:])
	}
	return done, nil
}

// prefetch keeps the blocks of the ranges in one pass, as many as fit.
func (s *stream) prefetch(ranges []fileSpan) {
	var want []uint64
	for _, r := range ranges {
		for b := r.off / blockSize; r.size > 0 && b <= (r.off+r.size-1)/blockSize && len(want) < maxBlocks-readAhead; b++ {
			want = append(want, b)
		}
	}
	slices.Sort(want)
	for _, b := range slices.Compact(want) {
		if _, err := s.block(b); err != nil {
			return
		}
	}
}

func (s *stream) block(n uint64) ([]byte, error) {
	if b, ok := s.blocks[n]; ok {
		return b, nil
	}
	if s.failed != nil && n*blockSize >= s.end {
		return nil, s.failed
	}
	if err := s.seek(n); err != nil {
		return nil, err
	}
	var first []byte
	for i := uint64(0); i < readAhead; i++ {
		b, err := s.decode()
		if i == 0 {
			if len(b) == 0 {
				return nil, err
			}
			first = b
		}
		s.keep(n+i, b)
		if err != nil {
			break
		}
	}
	return first, nil
}

// seek puts the decoder at the start of block n, from the start of the stream when it is already past it.
func (s *stream) seek(n uint64) error {
	if s.r == nil || s.pos > n*blockSize {
		if s.passes++; s.passes > maxPasses {
			return errors.New("the compressed core was read too often; unpack it first")
		}
		r, err := s.kind.open(io.NewSectionReader(s.file, 0, s.size))
		if err != nil {
			return fmt.Errorf("the %s stream is damaged: %w", s.kind.name, err)
		}
		if c, ok := s.r.(*zstd.Decoder); ok {
			c.Close()
		}
		s.r, s.pos = r, 0
	}
	skipped, err := io.CopyN(io.Discard, s.r, int64(n*blockSize-s.pos))
	s.pos += uint64(skipped)
	if err != nil {
		return s.stop(err)
	}
	return nil
}

// decode reads the next block; with an error it may still return the bytes before it.
func (s *stream) decode() ([]byte, error) {
	b := make([]byte, blockSize)
	n, err := io.ReadFull(s.r, b)
	s.pos += uint64(n)
	if err != nil {
		err = s.stop(err)
	}
	return b[:n], err
}

// stop remembers where the stream ends, so that nothing is decoded again in search of what is not there.
func (s *stream) stop(err error) error {
	s.end = s.pos
	s.r = nil
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		s.failed = io.ErrUnexpectedEOF
	} else {
		s.failed = fmt.Errorf("the %s stream is damaged after %d bytes: %w", s.kind.name, s.pos, err)
	}
	return s.failed
}

func (s *stream) keep(n uint64, b []byte) {
	if len(b) == 0 {
		return
	}
	if _, ok := s.blocks[n]; !ok {
		s.recent = append(s.recent, n)
	}
	s.blocks[n] = b
	if len(s.recent) > maxBlocks {
		delete(s.blocks, s.recent[0])
		s.recent = s.recent[1:]
	}
}
