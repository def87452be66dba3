// SPDX-License-Identifier: Apache-2.0
#include "transport/congestion_controller.h"

#include "transport/cubic.h"
#include "transport/dctcp.h"

namespace netchannel::transport {

std::unique_ptr<CongestionController> MakeCongestionController(CongestionAlgorithm algorithm,
                                                               ByteCount packet_size,
                                                               ByteCount max_window) {
  switch (algorithm) {
    case CongestionAlgorithm::kDctcp:
      return std::make_unique<Dctcp>(packet_size, max_window);
    case CongestionAlgorithm::kCubic:
      break;
  }
  return std::make_unique<Cubic>(packet_size, max_window);
}

}  // namespace netchannel::transport
