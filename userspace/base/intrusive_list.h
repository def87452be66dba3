// SPDX-License-Identifier: Apache-2.0
//
// A doubly linked list whose links live in its elements: no allocation, O(1) removal from the
// middle. An element may be in several lists, through one ListLink each:
//
//   struct Socket { ListLink<Socket> ready; };
//   IntrusiveList<Socket, &Socket::ready> ready_sockets;
//
// Invariant: an element is in at most one list per link, and leaves it before it is destroyed or
// moved. The list owns nothing. Thread: one at a time. Errors: none; linking twice is a caller's
// bug (assert).
#pragma once

#include <cassert>
#include <cstddef>

namespace netchannel {

template <typename T>
struct ListLink {
  T* prev = nullptr;
  T* next = nullptr;
  bool linked = false;
};

template <typename T, ListLink<T> T::*kLink>
class IntrusiveList {
 public:
  class Iterator {
   public:
    explicit Iterator(T* at) : at_(at) {}
    T& operator*() const { return *at_; }
    T* operator->() const { return at_; }
    Iterator& operator++() {
      at_ = (at_->*kLink).next;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    T* at_;
  };

  IntrusiveList() = default;
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() { Clear(); }

  bool empty() const { return front_ == nullptr; }
  size_t size() const { return size_; }
  T* front() const { return front_; }  // nullptr when empty
  T* back() const { return back_; }    // nullptr when empty
  static bool IsLinked(const T& element) { return (element.*kLink).linked; }

  void PushBack(T& element) { InsertBetween(element, back_, nullptr); }
  void PushFront(T& element) { InsertBetween(element, nullptr, front_); }
  // Precondition: `position` is in this list.
  void InsertBefore(T& position, T& element) {
    InsertBetween(element, (position.*kLink).prev, &position);
  }

  // Precondition: `element` is in this list.
  void Remove(T& element) {
    ListLink<T>& link = element.*kLink;
    assert(link.linked);
    (link.prev != nullptr ? (link.prev->*kLink).next : front_) = link.next;
    (link.next != nullptr ? (link.next->*kLink).prev : back_) = link.prev;
    link = ListLink<T>{};
    --size_;
  }

  // nullptr when empty.
  T* PopFront() {
    T* element = front_;
    if (element != nullptr) Remove(*element);
    return element;
  }

  // Round robin: `element` gets its next turn after all others. Precondition: it is in this list.
  void MoveToBack(T& element) {
    if (back_ == &element) return;
    Remove(element);
    PushBack(element);
  }

  void Clear() {
    while (PopFront() != nullptr) {
    }
  }

  // The element under an iterator must not be removed before the iterator has moved on.
  Iterator begin() const { return Iterator(front_); }
  Iterator end() const { return Iterator(nullptr); }

 private:
  void InsertBetween(T& element, T* prev, T* next) {
    ListLink<T>& link = element.*kLink;
    assert(!link.linked);
    link = ListLink<T>{.prev = prev, .next = next, .linked = true};
    (prev != nullptr ? (prev->*kLink).next : front_) = &element;
    (next != nullptr ? (next->*kLink).prev : back_) = &element;
    ++size_;
  }

  T* front_ = nullptr;
  T* back_ = nullptr;
  size_t size_ = 0;
};

}  // namespace netchannel
