package descriptors_test

import (
	"strings"
	"testing"

	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"

	_ "github.com/mesh-security/mesh/x/converter/types"
	_ "github.com/mesh-security/mesh/x/externalstaking/types"
	_ "github.com/mesh-security/mesh/x/vault/types"
	_ "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// TestEveryFieldTypeIsKnownToClients: a generated file that is initialised before the file it
// imports keeps an empty placeholder for the imported messages, and the command line then prints
// them as {}. Go initialises the files of a package by name, so what others import sorts first.
func TestEveryFieldTypeIsKnownToClients(t *testing.T) {
	seen := 0
	proto.HybridResolver.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(file.Path(), "mesh/") {
			seen++
			checkMessages(t, file.Path(), file.Messages())
		}
		return true
	})
	require.GreaterOrEqual(t, seen, 21, "files of the five packages")
}

func checkMessages(t *testing.T, path string, messages protoreflect.MessageDescriptors) {
	t.Helper()
	for i := range messages.Len() {
		message := messages.Get(i)
		for j := range message.Fields().Len() {
			field := message.Fields().Get(j)
			if m := field.Message(); m != nil && m.IsPlaceholder() {
				t.Errorf("%s: %s is of type %s, which is initialised later", path, field.FullName(), m.FullName())
			}
			if e := field.Enum(); e != nil && e.IsPlaceholder() {
				t.Errorf("%s: %s is of type %s, which is initialised later", path, field.FullName(), e.FullName())
			}
		}
		checkMessages(t, path, message.Messages())
	}
}
