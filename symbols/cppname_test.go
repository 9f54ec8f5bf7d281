package symbols

import "testing"

func TestShortCPP(t *testing.T) {
	for symbol, want := range map[string]string{
		"_ZNKSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE5c_strEv":                 "std::string::c_str() const",
		"_Z4lastRSt6vectorINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEESaIS5_EE": "last(std::vector<std::string>&)",
		"_Z3getRSt6vectorIiSaIiEEm":                                   "get(std::vector<int>&, unsigned long)",
		"_Z4homeB5cxx11v":                                             "home()",
		"_ZNKSt10unique_ptrI1SSt14default_deleteIS0_EEptEv":           "std::unique_ptr<S>::operator->() const",
		"_Z1fRSt3mapIiSt6vectorIlSaIlEESt4lessIiESaISt4pairIKiS2_EEE": "f(std::map<int, std::vector<long> >&)",
		"_Z1gRSt6vectorIi4PoolIiEE":                                   "g(std::vector<int, Pool<int> >&)",
		"_ZN9__gnu_cxxlsISt14default_deleteIiEEEvv":                   "void __gnu_cxx::operator<< <std::default_delete<int> >()",
	} {
		if got, _ := Demangle(symbol); got != want {
			t.Errorf("%s: %q, want %q", symbol, got, want)
		}
	}
}
