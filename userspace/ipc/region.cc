// SPDX-License-Identifier: Apache-2.0
#include "ipc/region.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace netchannel::ipc {
namespace {

constexpr uint64_t kPage = 4096;
// A region's 32 GiB are 512 calls, of which each holds the address space for 16384 pages at most.
constexpr size_t kUnmappedAtOnce = size_t{64} << 20;

constexpr uint64_t AlignUp(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

void WriteHeader(const RegionLayout& layout, RegionHeader* header) {
  header->magic = kMagic;
  header->abi_version = kAbiVersion;
  header->region_size = layout.region_size;
  header->socket_count = layout.shape.socket_count;
  header->doorbell_count = layout.doorbell_count;
  header->ring_bytes = layout.shape.ring_bytes;
  header->calls_offset = layout.calls_offset;
  header->doorbells_offset = layout.doorbells_offset;
  header->sets_offset = layout.sets_offset;
  header->slots_offset = layout.slots_offset;
  header->clients_offset = layout.clients_offset;
  header->buffers_offset = layout.buffers_offset;
  header->copy = layout.shape.copy;
}

bool SameLayout(const RegionHeader& header, const RegionLayout& layout) {
  return header.region_size == layout.region_size &&
         header.doorbell_count == layout.doorbell_count &&
         header.calls_offset == layout.calls_offset &&
         header.doorbells_offset == layout.doorbells_offset &&
         header.sets_offset == layout.sets_offset && header.slots_offset == layout.slots_offset &&
         header.clients_offset == layout.clients_offset &&
         header.buffers_offset == layout.buffers_offset;
}

absl::StatusOr<std::byte*> MapShared(int fd, uint64_t size) {
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (base == MAP_FAILED) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("cannot map a region of ", size, " bytes of address space"));
  }
  return static_cast<std::byte*>(base);
}

}  // namespace

absl::StatusOr<RegionLayout> ComputeLayout(const RegionShape& shape) {
  if (!std::has_single_bit(shape.socket_count) || shape.socket_count > kMaxSockets) {
    return absl::InvalidArgumentError(absl::StrCat("the number of sockets, ", shape.socket_count,
                                                   ", must be a power of two up to ", kMaxSockets));
  }
  if (!std::has_single_bit(shape.ring_bytes) || shape.ring_bytes < kMinRingBytes ||
      shape.ring_bytes > kMaxRingBytes) {
    return absl::InvalidArgumentError(absl::StrCat("a socket's buffer of ", shape.ring_bytes,
                                                   " bytes must be a power of two from ",
                                                   kMinRingBytes, " to ", kMaxRingBytes));
  }
  RegionLayout layout;
  layout.shape = shape;
  layout.doorbell_count = std::bit_ceil(shape.socket_count + kCalls + 1);  // more than can be rung
  layout.set_entries = shape.socket_count;
  layout.calls_offset = AlignUp(sizeof(RegionHeader), kCacheLine);
  layout.doorbells_offset = AlignUp(layout.calls_offset + kCalls * sizeof(Call), kCacheLine);
  layout.sets_offset = AlignUp(layout.doorbells_offset + sizeof(DoorbellRing) +
                                   uint64_t{layout.doorbell_count} * sizeof(DoorbellCell),
                               kCacheLine);
  layout.entries_offset = layout.sets_offset + kWaitSets * sizeof(WaitSet);
  layout.slots_offset =
      AlignUp(layout.entries_offset + uint64_t{kWaitSets} * layout.set_entries * sizeof(uint32_t),
              kCacheLine);
  layout.clients_offset = layout.slots_offset + uint64_t{shape.socket_count} * sizeof(SocketSlot);
  layout.buffers_offset =
      AlignUp(layout.clients_offset + uint64_t{shape.socket_count} * sizeof(SocketClient), kPage);
  layout.region_size = layout.buffers_offset + uint64_t{shape.socket_count} * 2 * shape.ring_bytes;
  if (layout.region_size > kMaxRegionBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(shape.socket_count, " sockets with buffers of ", shape.ring_bytes,
                     " bytes need more than ", kMaxRegionBytes, " bytes: lower one of the two"));
  }
  return layout;
}

RegionView::RegionView(std::byte* base, const RegionLayout& layout) : base_(base), layout_(layout) {
  calls_ = At<Call>(layout.calls_offset, kCalls);
  sets_ = At<WaitSet>(layout.sets_offset, kWaitSets);
  entries_ = At<uint32_t>(layout.entries_offset, uint64_t{kWaitSets} * layout.set_entries);
  slots_ = At<SocketSlot>(layout.slots_offset, layout.shape.socket_count);
  clients_ = At<SocketClient>(layout.clients_offset, layout.shape.socket_count);
  buffers_ = At<std::byte>(layout.buffers_offset,
                           uint64_t{layout.shape.socket_count} * 2 * layout.shape.ring_bytes);
}

absl::StatusOr<RegionView> RegionView::Open(std::byte* base, size_t size) {
  if (base == nullptr || size < sizeof(RegionHeader)) {
    return absl::InvalidArgumentError("the region is smaller than its header");
  }
  const auto* header = reinterpret_cast<const RegionHeader*>(base);
  if (header->magic != kMagic) return absl::InvalidArgumentError("this is not a NetChannel region");
  if (header->abi_version != kAbiVersion) {
    return absl::FailedPreconditionError(absl::StrCat("the region has ABI version ",
                                                      header->abi_version, ", this library ",
                                                      kAbiVersion, ": use one release for both"));
  }
  const auto layout =
      ComputeLayout({.socket_count = header->socket_count, .ring_bytes = header->ring_bytes});
  if (!layout.ok()) return layout.status();
  if (!SameLayout(*header, *layout) || layout->region_size > size) {
    return absl::InvalidArgumentError("the region's header contradicts itself");
  }
  return RegionView(base, *layout);
}

absl::StatusOr<Region> Region::Create(const RegionShape& shape) {
  const auto layout = ComputeLayout(shape);
  if (!layout.ok()) return layout.status();
  const int fd = memfd_create("netchannel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return absl::ErrnoToStatus(errno, "cannot create the region's memory file");
  Region region(fd, nullptr, 0);
  if (ftruncate(fd, static_cast<off_t>(layout->region_size)) != 0) {
    return absl::ErrnoToStatus(errno,
                               absl::StrCat("cannot size the region to ", layout->region_size));
  }
  // Without the seal an application could cut the file, and the stack would die of SIGBUS.
  if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return absl::ErrnoToStatus(errno, "cannot seal the region's memory file");
  }
  const auto base = MapShared(fd, layout->region_size);
  if (!base.ok()) return base.status();
  region.base_ = *base;
  region.size_ = layout->region_size;
  region.view_ = RegionView(*base, *layout);
  WriteHeader(*layout, region.view_.header());
  return region;
}

absl::StatusOr<Region> Region::Map(int fd) {
  Region region(fd, nullptr, 0);
  struct stat info;
  if (fstat(fd, &info) != 0)
    return absl::ErrnoToStatus(errno, "cannot read the size of the region");
  if (info.st_size < static_cast<off_t>(sizeof(RegionHeader)) ||
      static_cast<uint64_t>(info.st_size) > kMaxRegionBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a region cannot have ", info.st_size, " bytes"));
  }
  const auto base = MapShared(fd, static_cast<uint64_t>(info.st_size));
  if (!base.ok()) return base.status();
  region.base_ = *base;
  region.size_ = static_cast<size_t>(info.st_size);
  const auto view = RegionView::Open(region.base_, region.size_);
  if (!view.ok()) return view.status();
  region.view_ = *view;
  return region;
}

Region::Region(Region&& other) noexcept { Swap(other); }

Region& Region::operator=(Region&& other) noexcept {
  Swap(other);
  return *this;
}

Region::~Region() {
  if (base_ != nullptr) munmap(base_, size_);
  if (fd_ >= 0) close(fd_);
}

void Region::ReleaseInPieces() {
  while (size_ > 0) {
    const size_t piece = std::min(size_, kUnmappedAtOnce);
    size_ -= piece;
    munmap(base_ + size_, piece);
  }
  base_ = nullptr;
  *this = Region(-1, nullptr, 0);
}

void Region::Swap(Region& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(base_, other.base_);
  std::swap(size_, other.size_);
  std::swap(view_, other.view_);
}

}  // namespace netchannel::ipc
