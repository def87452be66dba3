// SPDX-License-Identifier: Apache-2.0
//
// A double-ended queue in one power-of-two array: nothing is allocated before the first element,
// the array doubles when it is full and is then kept, so a steady state allocates nothing.
//
// The bound is its user's: each queue of the transport says what limits it. T is trivially
// copyable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace netchannel::transport {

template <typename T>
class RingDeque {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  bool empty() const { return size_ == 0; }
  uint32_t size() const { return size_; }

  T& front() { return slots_[head_]; }
  const T& front() const { return slots_[head_]; }
  T& back() { return (*this)[size_ - 1]; }
  T& operator[](uint32_t i) { return slots_[(head_ + i) & (capacity_ - 1)]; }
  const T& operator[](uint32_t i) const { return slots_[(head_ + i) & (capacity_ - 1)]; }

  void push_back(const T& value) {
    if (size_ == capacity_) Grow();
    slots_[(head_ + size_) & (capacity_ - 1)] = value;
    ++size_;
  }
  void push_front(const T& value) {
    if (size_ == capacity_) Grow();
    head_ = (head_ - 1) & (capacity_ - 1);
    slots_[head_] = value;
    ++size_;
  }
  void pop_front() {
    head_ = (head_ + 1) & (capacity_ - 1);
    --size_;
  }
  // Keeps the order of the rest. O(size).
  void Erase(uint32_t i) {
    for (; i + 1 < size_; ++i) (*this)[i] = (*this)[i + 1];
    --size_;
  }

 private:
  static constexpr uint32_t kFirstCapacity = 8;

  void Grow() {
    const uint32_t capacity = capacity_ == 0 ? kFirstCapacity : capacity_ * 2;
    auto slots = std::make_unique<T[]>(capacity);
    for (uint32_t i = 0; i < size_; ++i) slots[i] = (*this)[i];
    slots_ = std::move(slots);
    capacity_ = capacity;
    head_ = 0;
  }

  std::unique_ptr<T[]> slots_;
  uint32_t capacity_ = 0;
  uint32_t head_ = 0;
  uint32_t size_ = 0;
};

}  // namespace netchannel::transport
