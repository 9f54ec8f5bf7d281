package insn

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

func decodeHex(t *testing.T, s string) Insn {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	in, err := Decode(append(b, make([]byte, 8)...), 0x1000)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return in
}

// TestTraps holds the bytes that x86asm alone gets wrong; a fixed release of it shows here as still passing, and the
// special case can then go.
func TestTraps(t *testing.T) {
	for _, c := range []struct {
		code string
		len  int
		text string
	}{
		{"f30f1efa 90", 4, "endbr64"},
		{"f30f1efb 90", 4, "endbr32"},
		{"f3480f1ec8 90", 5, "rdssp rax"},
		{"f3480faee8 90", 5, "incssp"},
		{"c5f877 c3", 3, "vzeroupper"},
		{"c5fc77 c3", 3, "vzeroupper"},
		{"c4e17877 c3", 4, "vzeroupper"},
		{"c5fe6f0512000000", 8, "vmovdqu ymm0, ymmword ptr [0x101a]"},
		{"c5fb1005f8ffffff", 8, "vmovsd xmm0, qword ptr [0x1000]"},
		{"62f17c48110512000000", 10, "vmovups zmmword ptr [0x101c], zmm0"},
		{"66e912345678", 6, "jmp 0x78564418"},
		{"66e8f4ffffff", 6, "call 0xffa"},
		{"660f8400000000", 7, "jcc 0x1007"},
		{"480fc7f8", 4, "rdseed rax"},
		{"f3480fc7f9", 5, "rdpid rcx"},
		{"490fc7f3", 4, "rdrand r11"},
		{"66480f38f6c1", 6, "adcx rax"},
		{"f30f38f64c2408", 7, "adox rcx"},
		{"0f01ee", 3, "rdpkru rax"},
		{"64488b042528000000", 9, "mov rax, qword ptr fs:[0x28]"},
		{"488b8c24f8feffff", 8, "mov rcx, qword ptr [rsp-0x108]"},
		{"f348ab", 3, "rep stosq"},
		{"f0480fb10f", 5, "lock cmpxchg qword ptr [rdi], rcx"},
		{"8a6701", 3, "mov ah, byte ptr [rdi+0x1]"},
		{"4088f8", 3, "mov al, dil"},
		{"678b00", 3, "mov eax, dword ptr [eax]"},
		{"4d8b44cdf0", 5, "mov r8, qword ptr [r13+rcx*8-0x10]"},
	} {
		in := decodeHex(t, c.code)
		if in.Len != c.len || in.Text() != c.text {
			t.Errorf("%s: got length %d %q, want %d %q", c.code, in.Len, in.Text(), c.len, c.text)
		}
	}
}

func TestRefusesGarbage(t *testing.T) {
	for _, s := range []string{"", "06", "f3", "c5", "c4e1", "62f17c", "0f", "0f04", "66", "480f", "ff"} {
		b, _ := hex.DecodeString(s)
		if in, err := Decode(b, 0); err == nil {
			t.Errorf("%q: decoded as %q of %d bytes", s, in.Text(), in.Len)
		}
	}
}

func (w Write) string() string {
	kind := [...]string{"opaque", "copy", "zext", "sext", "const", "addr", "add", "arith", "select", "bool", "kernel"}[w.Kind]
	s := w.Dst.String() + "=" + kind
	if w.Kind == Const || w.Kind == AddImm {
		s += " " + signedHex(w.Imm)
	}
	for _, o := range w.Src {
		s += " " + strings.ReplaceAll(o.String(), " ptr ", "")
	}
	return s
}

// TestWrites checks the assignments, including the parts that no operand shows.
func TestWrites(t *testing.T) {
	for _, c := range []struct{ code, want string }{
		{"89d8", "rax=zext ebx"},
		{"4889d8", "rax=copy rbx"},
		{"88d8", "al=copy bl"},
		{"31c0", "rax=const 0x0"},
		{"4883c810", "rax=arith rax 0x10"},
		{"4883c8ff", "rax=const -0x1"},
		{"4883e000", "rax=const 0x0"},
		{"0fb607", "rax=zext byte[rdi]"},
		{"4863c7", "rax=sext edi"},
		{"4898", "rax=sext eax"},
		{"488d44cf08", "rax=addr [rdi+rcx*8+0x8]"},
		{"4883ec18", "rsp=add -0x18 rsp"},
		{"53", "qword[rsp-0x8]=copy rbx; rsp=add -0x8 rsp"},
		{"5b", "rsp=add 0x8 rsp; rbx=copy qword[rsp]"},
		{"8f442408", "rsp=add 0x8 rsp; qword[rsp+0x10]=copy qword[rsp]"},
		{"6a00", "qword[rsp-0x8]=const 0x0; rsp=add -0x8 rsp"},
		{"c9", "rsp=add 0x8 rbp; rbp=copy qword[rbp]"},
		{"e800000000", "rsp=add -0x8 rsp; qword[rsp-0x8]=const 0x1005"},
		{"48c744240800000000", "qword[rsp+0x8]=const 0x0"},
		{"480f44c1", "rax=select rax rcx"},
		{"0f94c0", "al=bool"},
		{"48f7f1", "rax=arith rdx rax rcx; rdx=arith rdx rax rcx"},
		{"4893", "rbx=copy rax; rax=copy rbx"},
		{"480fc103", "qword[rbx]=arith qword[rbx] rax; rax=copy qword[rbx]"},
		{"0f05", "rax=kernel rax; rcx=opaque; r11=opaque"},
		{"0f1007", "xmm0=copy xmmword[rdi]"},
		{"0f110424", "xmmword[rsp]=copy xmm0"},
		{"66480f6ec7", "xmm0=zext rdi"},
		{"66480f7ec0", "rax=copy xmm0"},
		{"0fefc0", "?=const 0x0"},
		{"0f57c0", "xmm0=const 0x0"},
		{"660f6cc1", "xmm0=copy xmm1"},
		{"a4", "byte[rdi]=copy byte[rsi]; rdi=arith rdi; rsi=arith rsi"},
		{"f3a4", "byte[rdi]=opaque byte[rsi]; rdi=arith rdi; rsi=arith rsi; rcx=arith rcx"},
		{"483b07", ""},
		{"0f1f4000", ""},
	} {
		in := decodeHex(t, c.code)
		var got []string
		eff := in.Effects()
		for _, w := range eff.Writes {
			got = append(got, strings.ReplaceAll(w.string(), " ptr ", ""))
		}
		if s := strings.Join(got, "; "); s != c.want {
			t.Errorf("%s (%s):\n got %s\nwant %s", c.code, in.Text(), s, c.want)
		}
	}
}

// TestAccesses checks memory accesses that are implicit, and their sizes and directions.
func TestAccesses(t *testing.T) {
	for _, c := range []struct {
		code, want string
	}{
		{"50", "w8 [rsp-0x8] implicit"},
		{"ff5010", "w8 [rsp-0x8] implicit; r8 [rax+0x10]"},
		{"ffd0", "w8 [rsp-0x8] implicit"},
		{"c3", "r8 [rsp] implicit"},
		{"c9", "r8 [rbp] implicit"},
		{"f3a4", "w1 [rdi] implicit rep; r1 [rsi] implicit rep"},
		{"48ab", "w8 [rdi] implicit"},
		{"d7", "r1 [rbx] implicit"},
		{"480100", "rw8 [rax]"},
		{"0f2800", "r16 [rax] align16"},
		{"0f1000", "r16 [rax]"},
		{"c5fc2800", "r32 [rax] align32"},
		{"c5fc1000", "r32 [rax]"},
		{"488d00", ""},
		{"0f0d08", ""},
		{"d900", "r4 [rax]"},
		{"dd18", "w8 [rax]"},
		{"f00fc70f", "rw8 [rdi]"},
		{"48f73e", "r8 [rsi]"},
		{"f6042500000000ff", "r1 [0x0]"},
	} {
		in := decodeHex(t, c.code)
		var got []string
		eff := in.Effects()
		for _, a := range eff.Access {
			got = append(got, a.string())
		}
		if s := strings.Join(got, "; "); s != c.want {
			t.Errorf("%s (%s): got %q, want %q", c.code, in.Text(), s, c.want)
		}
	}
}

func (a Access) string() string {
	s := ""
	if a.Read {
		s += "r"
	}
	if a.Write {
		s += "w"
	}
	s += fmt.Sprintf("%d %s", a.Size, a.Mem)
	if a.Implicit {
		s += " implicit"
	}
	if a.Align > 0 {
		s += fmt.Sprintf(" align%d", a.Align)
	}
	if a.Repeat {
		s += " rep"
	}
	return s
}
