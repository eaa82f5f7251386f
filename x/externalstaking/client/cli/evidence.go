package cli

import (
	"fmt"
	"os"

	"github.com/cosmos/cosmos-sdk/client"
	cdctypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/spf13/cobra"

	"github.com/mesh-security/mesh/x/externalstaking/evidence"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

const flagRevision = "revision"

func newSubmitDoubleVotingCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "submit-double-voting [consumer] [evidence.json]",
		Short: "Prove that a consumer validator signed two conflicting votes, and have it slashed; anyone may",
		Long: "The evidence is a CometBFT DuplicateVoteEvidence, as a node of the consumer shows it in a block: in CometBFT's own JSON, or\n" +
			"protobuf's. The consumer's light client must have seen its height.",
		Args: cobra.ExactArgs(2),
	}
	cmd.Flags().Uint64(flagRevision, 0, "revision of the consumer's chain id that the votes are of (default: the present one)")
	return newTxCmd(cmd, "submit-double-voting 1 evidence.json", submitDoubleVoting)
}

func submitDoubleVoting(cmd *cobra.Command, sender string, args []string) (sdk.Msg, error) {
	consumer, file, err := parseEvidence(args)
	if err != nil {
		return nil, err
	}
	votes, err := evidence.ParseDoubleVoting(client.GetClientContextFromCmd(cmd).Codec, file)
	if err != nil {
		return nil, err
	}
	revision, err := cmd.Flags().GetUint64(flagRevision)
	return &types.MsgSubmitDoubleVoting{Submitter: sender, ConsumerID: consumer, Evidence: votes, Revision: revision}, err
}

func newSubmitMisbehaviourCmd() *cobra.Command {
	return newTxCmd(&cobra.Command{
		Use:   "submit-misbehaviour [consumer] [misbehaviour.json]",
		Short: "Prove a light-client attack, have the validators slashed that signed both headers, and freeze the client; anyone may",
		Long:  "The misbehaviour is an ibc.lightclients.tendermint.v1.Misbehaviour in protobuf's JSON, with its \"@type\".",
		Args:  cobra.ExactArgs(2),
	}, "submit-misbehaviour 1 misbehaviour.json", submitMisbehaviour)
}

func submitMisbehaviour(cmd *cobra.Command, sender string, args []string) (sdk.Msg, error) {
	consumer, file, err := parseEvidence(args)
	if err != nil {
		return nil, err
	}
	misbehaviour, err := evidence.ParseMisbehaviour(client.GetClientContextFromCmd(cmd).Codec, file)
	if err != nil {
		return nil, err
	}
	packed, err := cdctypes.NewAnyWithValue(misbehaviour)
	return &types.MsgSubmitMisbehaviour{Submitter: sender, ConsumerID: consumer, Misbehaviour: packed}, err
}

// parseEvidence reads the consumer and the file with the evidence.
func parseEvidence(args []string) (uint64, []byte, error) {
	consumer, err := parseConsumer(args[0])
	if err != nil {
		return 0, nil, err
	}
	file, err := os.ReadFile(args[1])
	if err != nil {
		return 0, nil, fmt.Errorf("evidence: %w", err)
	}
	return consumer, file, nil
}
