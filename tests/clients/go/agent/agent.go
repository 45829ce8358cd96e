// Package agent is the JSON-lines loop of the Go agents. See ../../agent.ts for the protocol.
package agent

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"time"
)

// Bytes is base64 in JSON; nil is null.
type Bytes []byte

func (b Bytes) MarshalJSON() ([]byte, error) {
	if b == nil {
		return []byte("null"), nil
	}
	return json.Marshal(base64.StdEncoding.EncodeToString(b))
}

func (b *Bytes) UnmarshalJSON(text []byte) error {
	var value *string
	if err := json.Unmarshal(text, &value); err != nil || value == nil {
		*b = nil
		return err
	}
	bytes, err := base64.StdEncoding.DecodeString(*value)
	if bytes == nil {
		bytes = []byte{}
	}
	*b = bytes
	return err
}

// Header is a pair [name, value].
type Header struct {
	Name  string
	Value Bytes
}

func (h Header) MarshalJSON() ([]byte, error) { return json.Marshal([]any{h.Name, h.Value}) }

func (h *Header) UnmarshalJSON(text []byte) error {
	pair := []any{&h.Name, &h.Value}
	return json.Unmarshal(text, &pair)
}

// Record is a record as the tests send and expect it.
type Record struct {
	Partition *int32   `json:"p"`
	Offset    int64    `json:"o"`
	Timestamp *int64   `json:"t"`
	Key       Bytes    `json:"k"`
	Value     Bytes    `json:"v"`
	Headers   []Header `json:"h"`
}

// Received makes the record that a consumer reports.
func Received(partition int32, offset int64, at time.Time, key, value []byte, headers []Header) Record {
	if headers == nil {
		headers = []Header{}
	}
	ms := at.UnixMilli()
	return Record{&partition, offset, &ms, key, value, headers}
}

// Args holds the arguments of every command.
type Args struct {
	Topic       string            `json:"topic"`
	Records     []Record          `json:"records"`
	Compression string            `json:"compression"`
	Acks        *int              `json:"acks"`
	TimeoutMs   int               `json:"timeoutMs"`
	Partitions  json.RawMessage   `json:"partitions"`
	Partition   int32             `json:"partition"`
	From        json.RawMessage   `json:"from"`
	At          json.RawMessage   `json:"at"`
	Count       int               `json:"count"`
	WaitMs      int               `json:"waitMs"`
	Strict      bool              `json:"strict"`
	Rack        string            `json:"rack"`
	Handle      string            `json:"handle"`
	Group       string            `json:"group"`
	Assignor    string            `json:"assignor"`
	InstanceID  string            `json:"instanceId"`
	Configs     map[string]string `json:"configs"`
	Changes     []Change          `json:"changes"`
	Total       int               `json:"total"`
	Before      int64             `json:"before"`
	Offsets     map[string]int64  `json:"offsets"`
}

// Change is one step of an incremental change of configs.
type Change struct {
	Name  string  `json:"name"`
	Op    string  `json:"op"`
	Value *string `json:"value"`
}

// PartitionCount is the argument partitions as a number.
func (a Args) PartitionCount() (count int32) {
	must(json.Unmarshal(a.Partitions, &count))
	return count
}

// PartitionList is the argument partitions as a list.
func (a Args) PartitionList() (list []int32) {
	must(json.Unmarshal(a.Partitions, &list))
	return list
}

// Start tells where to consume from: nil pointers mean the earliest offset.
func (a Args) Start() (start struct{ Offset, Timestamp *int64 }) {
	if string(a.From) != `"earliest"` {
		must(json.Unmarshal(a.From, &start))
	}
	return start
}

// Spec is the argument at as a ListOffsets timestamp.
func (a Args) Spec() int64 {
	special := map[string]int64{`"earliest"`: -2, `"latest"`: -1, `"maxTimestamp"`: -3}
	if value, ok := special[string(a.At)]; ok {
		return value
	}
	var at int64
	must(json.Unmarshal(a.At, &at))
	return at
}

// Deadline is the time when consuming must end.
func (a Args) Deadline() time.Time { return time.Now().Add(time.Duration(a.WaitMs) * time.Millisecond) }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Command answers one request.
type Command func(Args) (any, error)

// Bootstrap has the addresses of brokers.
func Bootstrap() []string { return strings.Split(os.Args[len(os.Args)-1], ",") }

var out sync.Mutex

func send(message any) {
	line, err := json.Marshal(message)
	must(err)
	out.Lock()
	defer out.Unlock()
	_, err = os.Stdout.Write(append(line, '\n'))
	must(err)
}

// Serve answers commands, each in a goroutine of its own, until standard input ends.
func Serve(client, version string, commands map[string]Command, features []string, code func(error) (int, bool)) {
	can := append([]string{}, features...)
	for name := range commands {
		can = append(can, name)
	}
	sort.Strings(can)
	send(map[string]any{"ready": map[string]any{"client": client, "version": version, "can": can}})
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			os.Exit(0)
		}
		var request struct {
			ID   int    `json:"id"`
			Cmd  string `json:"cmd"`
			Args Args   `json:"args"`
		}
		must(json.Unmarshal(line, &request))
		go func() {
			command, ok := commands[request.Cmd]
			if !ok {
				command = func(Args) (any, error) { return nil, fmt.Errorf("no command %s", request.Cmd) }
			}
			result, err := command(request.Args)
			if err == nil {
				send(map[string]any{"id": request.ID, "ok": result})
				return
			}
			failure := map[string]any{"name": fmt.Sprintf("%T", err), "message": err.Error(), "code": nil}
			if number, known := code(err); known {
				failure["code"] = number
			}
			send(map[string]any{"id": request.ID, "error": failure})
		}()
	}
}

// Member keeps what a group member has got.
type Member struct {
	Topic      string
	mutex      sync.Mutex
	assignment map[int32]bool
	records    []Record
	positions  map[int32]int64
}

// NewMember makes an empty one.
func NewMember(topic string) *Member {
	return &Member{Topic: topic, assignment: map[int32]bool{}, positions: map[int32]int64{}}
}

// Take adds a record.
func (m *Member) Take(record Record) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.records = append(m.records, record)
	m.positions[*record.Partition] = record.Offset + 1
}

// Assign adds partitions to the assignment.
func (m *Member) Assign(partitions []int32) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for _, partition := range partitions {
		m.assignment[partition] = true
	}
}

// Revoke takes partitions from the assignment.
func (m *Member) Revoke(partitions []int32) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for _, partition := range partitions {
		delete(m.assignment, partition)
	}
}

// Positions is the next offset of each partition of which something was seen.
func (m *Member) Positions() map[int32]int64 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	result := map[int32]int64{}
	for partition, offset := range m.positions {
		result[partition] = offset
	}
	return result
}

// State hands over the records that have come since the last call.
func (m *Member) State() any {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	records := m.records
	if records == nil {
		records = []Record{}
	}
	m.records = nil
	assignment := []int32{}
	for partition := range m.assignment {
		assignment = append(assignment, partition)
	}
	return map[string]any{"assignment": assignment, "records": records}
}

// Members is the members that are open, by handle.
type Members[M any] struct{ open sync.Map }

func (m *Members[M]) Add(handle string, member M) { m.open.Store(handle, member) }

func (m *Members[M]) Get(handle string) M {
	found, ok := m.open.Load(handle)
	if !ok {
		panic("no member " + handle)
	}
	return found.(M)
}

func (m *Members[M]) Remove(handle string) M {
	found := m.Get(handle)
	m.open.Delete(handle)
	return found
}
