// SPDX-License-Identifier: Apache-2.0
#include "wire/ip.h"

namespace netchannel::wire {

Checksum PseudoHeader(const IpAddress& source, const IpAddress& destination, uint8_t protocol) {
  // An IPv4 address is summed without the prefix of its mapped form.
  const size_t begin = source.is_v4() ? IpAddress::kV4Offset : 0;
  Checksum sum;
  for (const IpAddress* address : {&source, &destination}) {
    for (size_t i = begin; i < address->bytes.size(); i += 2) {
      sum.AddWord(static_cast<uint16_t>(address->bytes[i] << 8 | address->bytes[i + 1]));
    }
  }
  sum.AddWord(protocol);
  return sum;
}

}  // namespace netchannel::wire
