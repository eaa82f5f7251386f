package types

import (
	"time"

	storetypes "cosmossdk.io/store/types"
)

// Bounds that governance cannot change: they keep the cost of one block and of one packet within what a chain can run.
const (
	// MaxRewardDenoms bounds the denoms that travel.
	MaxRewardDenoms = 8
	// MaxPacketsPerBlock is the highest value of the param of that name.
	MaxPacketsPerBlock = 100
	// MaxExamined bounds the converters looked at in one block, whether they have something to send or not.
	MaxExamined = 64
	// MaxSnapshotEntries bounds the entries of all chunks of one snapshot together.
	MaxSnapshotEntries = 4_000
	// MaxFeedNameBytes bounds the name of a price feed.
	MaxFeedNameBytes = 32

	// ValidatorsPerReport keeps a report under control.MaxPacketBytes with the longest names.
	ValidatorsPerReport = 150
	// MaxReportsInFlight bounds the reports that have not been acknowledged. Beyond it changes wait in the validator
	// index, where they coalesce per validator.
	MaxReportsInFlight = 32

	// EntriesPerTransfer keeps a reward memo under 24 KiB with the longest names and amounts; transfer accepts 32 KiB.
	EntriesPerTransfer = 100
	// MaxTransfersInFlight bounds one converter's transfers that have not been acknowledged.
	MaxTransfersInFlight = 32

	// ReportGas and TransferGas bound the work of one packet in a block; both are many times what a full one takes.
	ReportGas   storetypes.Gas = 10_000_000
	TransferGas storetypes.Gas = 10_000_000

	minPacketTimeout = 24 * time.Hour
	minPriceInterval = time.Minute
	maxDuration      = 366 * 24 * time.Hour
)

// maxPriceChange is the highest value of the param of that name.
const maxPriceChange = 1_000
