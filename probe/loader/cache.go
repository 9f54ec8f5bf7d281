package loader

import (
	"bytes"
	"encoding/binary"
	"os"
	"strings"
)

// CachePath is where ldconfig(8) keeps what the loader knows of the system's libraries.
const CachePath = "/etc/ld.so.cache"

// Layout of the cache (glibc sysdeps/generic/dl-cache.h): struct cache_file_new, then its entries.
const (
	cacheMagic     = "glibc-ld.so.cache1.1"
	cacheHeader    = 48
	cacheEntry     = 24
	cacheX8664     = 0x0303 // FLAG_ELF_LIBC6 | FLAG_X8664_LIB64
	maxCacheSize   = 16 << 20
	maxCacheString = 4096
)

// entry is one library of the cache.
type entry struct{ soname, path string }

// readCache reads the cache's libraries for x86-64; nil when there is none. An old cache may hold the new format behind
// an older one; that older form alone is not read (glibc before 2.2).
func readCache(path string) []entry {
	st, err := os.Stat(path)
	if err != nil || st.Size() > maxCacheSize {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return parseCache(data)
}

func parseCache(data []byte) []entry {
	start := bytes.Index(data, []byte(cacheMagic))
	if start < 0 || len(data)-start < cacheHeader {
		return nil
	}
	data = data[start:]
	n := int(binary.LittleEndian.Uint32(data[20:]))
	if n > (len(data)-cacheHeader)/cacheEntry {
		n = (len(data) - cacheHeader) / cacheEntry
	}
	var all []entry
	for i := range n {
		e := data[cacheHeader+i*cacheEntry:]
		if binary.LittleEndian.Uint32(e) != cacheX8664 {
			continue
		}
		soname, ok1 := cacheString(data, binary.LittleEndian.Uint32(e[4:]))
		path, ok2 := cacheString(data, binary.LittleEndian.Uint32(e[8:]))
		if ok1 && ok2 {
			all = append(all, entry{soname, path})
		}
	}
	return all
}

// cacheString is the string at an offset from the cache's start.
func cacheString(data []byte, off uint32) (string, bool) {
	if uint64(off) >= uint64(len(data)) {
		return "", false
	}
	rest := data[off:min(len(data), int(off)+maxCacheString)]
	end := bytes.IndexByte(rest, 0)
	if end <= 0 {
		return "", false
	}
	return strings.Clone(string(rest[:end])), true
}
