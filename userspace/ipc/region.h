// SPDX-License-Identifier: Apache-2.0
//
// The region of one application: its layout, its memory, and the one place where offsets become
// pointers.
//
// The layout follows from the shape alone, so nobody has to believe the offsets in the header: Open
// computes the layout again and refuses a header that says something else. After that the view
// works from its own copy; the header's numbers are never read again.
//
// Memory: a sealed memfd (it can neither shrink under the stack nor grow), mapped without
// reservation. It costs nothing until touched: 16384 sockets of 2 * 1 MiB are 32 GiB of address
// space and, idle, under 1 MiB.
//
// Owner: Region owns the descriptor and the mapping; a RegionView is a value that must not outlive
// it. Thread: views may be copied and used by any thread; what may be written by whom is said in
// ipc/abi.h. Errors: a bad shape, header or descriptor is a status; a bad index is nullptr or an
// invalid ring.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "base/ring_view.h"
#include "ipc/abi.h"

namespace netchannel::ipc {

inline constexpr uint64_t kMinRingBytes = 4096;  // a page
inline constexpr uint64_t kMaxRingBytes = uint64_t{1} << 30;
inline constexpr uint64_t kMaxRegionBytes = uint64_t{1} << 44;  // of 47 bits of address space

struct RegionShape {
  uint32_t socket_count = 16384;            // power of two, at most kMaxSockets
  uint64_t ring_bytes = uint64_t{1} << 20;  // power of two, kMinRingBytes to kMaxRingBytes
  CopySettings copy = {};                   // for those who use it; no part of the layout
};

struct RegionLayout {
  RegionShape shape;
  uint32_t doorbell_count = 0;
  uint32_t set_entries = 0;  // per wait set
  uint64_t calls_offset = 0, doorbells_offset = 0, sets_offset = 0, entries_offset = 0,
           slots_offset = 0, clients_offset = 0, buffers_offset = 0, region_size = 0;
};

absl::StatusOr<RegionLayout> ComputeLayout(const RegionShape& shape);

class RegionView {
 public:
  RegionView() = default;
  // Checks the header of a mapped region. `base` is page aligned.
  static absl::StatusOr<RegionView> Open(std::byte* base, size_t size);

  const RegionLayout& layout() const { return layout_; }
  uint32_t socket_count() const { return layout_.shape.socket_count; }
  uint64_t ring_bytes() const { return layout_.shape.ring_bytes; }

  RegionHeader* header() const { return At<RegionHeader>(0, 1); }
  Call* call(uint32_t index) const { return index < kCalls ? calls_ + index : nullptr; }
  DoorbellRing* doorbells() const { return At<DoorbellRing>(layout_.doorbells_offset, 1); }
  DoorbellCell* doorbell_cells() const {
    return At<DoorbellCell>(layout_.doorbells_offset + sizeof(DoorbellRing),
                            layout_.doorbell_count);
  }
  WaitSet* wait_set(uint32_t index) const { return index < kWaitSets ? sets_ + index : nullptr; }
  // layout().set_entries words.
  uint32_t* wait_set_entries(uint32_t index) const {
    return index < kWaitSets ? entries_ + size_t{index} * layout_.set_entries : nullptr;
  }
  SocketSlot* slot(uint32_t index) const {
    return index < socket_count() ? slots_ + index : nullptr;
  }
  SocketClient* client(uint32_t index) const {
    return index < socket_count() ? clients_ + index : nullptr;
  }
  RingView send_ring(uint32_t index) const { return Ring(index, 0); }
  RingView receive_ring(uint32_t index) const { return Ring(index, 1); }

 private:
  friend class Region;
  RegionView(std::byte* base, const RegionLayout& layout);

  // The one conversion: `count` objects at `offset`, or nullptr when they do not fit.
  template <typename T>
  T* At(uint64_t offset, uint64_t count) const {
    if (base_ == nullptr || offset > layout_.region_size || offset % alignof(T) != 0)
      return nullptr;
    if (count > (layout_.region_size - offset) / sizeof(T)) return nullptr;
    return reinterpret_cast<T*>(base_ + offset);
  }
  RingView Ring(uint32_t index, uint64_t direction) const {
    if (index >= socket_count()) return {};
    return {buffers_ + (uint64_t{index} * 2 + direction) * ring_bytes(), ring_bytes()};
  }

  std::byte* base_ = nullptr;
  RegionLayout layout_;
  // Checked once for all indices below their counts.
  Call* calls_ = nullptr;
  WaitSet* sets_ = nullptr;
  uint32_t* entries_ = nullptr;
  SocketSlot* slots_ = nullptr;
  SocketClient* clients_ = nullptr;
  std::byte* buffers_ = nullptr;
};

class Region {
 public:
  // A new region, initialised.
  static absl::StatusOr<Region> Create(const RegionShape& shape);
  // A region that the other side created. Takes the descriptor, also on failure.
  static absl::StatusOr<Region> Map(int fd);

  Region(Region&& other) noexcept;
  Region& operator=(Region&& other) noexcept;
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  ~Region();

  // As the destructor, but the mapping goes bit by bit: a thread that maps something at the same
  // time waits for one bit only.
  void ReleaseInPieces();

  const RegionView& view() const { return view_; }
  std::byte* base() const { return base_; }
  size_t size() const { return size_; }
  int fd() const { return fd_; }

 private:
  Region(int fd, std::byte* base, size_t size) : fd_(fd), base_(base), size_(size) {}
  void Swap(Region& other) noexcept;

  int fd_ = -1;
  std::byte* base_ = nullptr;
  size_t size_ = 0;
  RegionView view_;
};

}  // namespace netchannel::ipc
