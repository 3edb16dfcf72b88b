// The events of all windows of a tile are listed once, for all blocks of channels. Then, block by
// block, each table of weight rows serves all lists while it is in the first-level cache. Last come
// the neurons, site by site through all timesteps.
#include "tile.h"

#include <algorithm>
#include <cstring>

#include "neuron_op.h"

namespace onnx2snn {

namespace {

constexpr std::size_t kListsOfPart = 512;          // sums of a block: 64 KiB
constexpr std::size_t kEntriesOfPart = 1U << 20U;  // most events of the lists of a source

class Tile {
 public:
  Tile(const Call& call, const Part& part, Workspace& memory)
      : call_(call), plan_(call.plan), sites_(call.plan.sites), part_(part), memory_(memory) {
    count_ = part.end - part.first;
    memory_.lists.resize(call.inputs.size());
    memory_.slots.resize(count_);
    memory_.sites.resize(count_);
    for (std::size_t i = 0; i < count_; ++i) {
      memory_.slots[i] = static_cast<std::uint32_t>((part.first + i) / sites_.count);
      memory_.sites[i] = static_cast<std::uint32_t>((part.first + i) % sites_.count);
    }
    memory_.states.assign(count_ * (part.end_block - part.first_block), LaneState{});
  }

  void run() {
    for (first_step_ = 0; first_step_ < call_.timesteps; first_step_ += kSteps) {
      steps_ = std::min(kSteps, call_.timesteps - first_step_);
      for (std::size_t t = 0; t < steps_; ++t) {
        const auto now = call_.before + static_cast<std::int64_t>(first_step_ + t) + 1;
        gains_[t] = gain(now, call_.stimulus);
      }
      plan_steps();
      for (std::size_t block = part_.first_block; block < part_.end_block; ++block) {
        for (std::size_t s = 0; s < plan_.sources.size(); ++s) {
          const Source& source = plan_.sources[s];
          const bool again = block == part_.first_block || source.grouped();
          if (source.listed() && again) list(s, block);
        }
        integrate(block);
        finish(block);
      }
    }
  }

 private:
  std::size_t slot(std::size_t i) const { return memory_.slots[i]; }
  std::size_t site(std::size_t i) const { return memory_.sites[i]; }

  const Step& step(std::size_t i, std::size_t s, std::size_t t) const {
    return memory_.steps[((slot(i) - slot(0)) * plan_.sources.size() + s) * kSteps + t];
  }

  // What is to be done at each timestep, for the samples of this tile.
  void plan_steps() {
    const auto sources = plan_.sources.size();
    memory_.steps.resize((slot(count_ - 1) - slot(0) + 1) * sources * kSteps);
    auto* to = memory_.steps.data();
    for (std::size_t sample = slot(0); sample <= slot(count_ - 1); ++sample, to += sources * kSteps) {
      for (std::size_t t = 0; t < steps_; ++t) {
        bool stands = t > 0;
        for (std::size_t s = 0; s < sources; ++s) {
          const StepEvents& given = call_.events(sample, first_step_ + t, s);
          const StepEvents& origin = call_.events(sample, given.origin, s);
          const bool dense = origin.dense && origin.count > 0;
          stands &= given.repeats;
          to[s * kSteps + t] = {given.emissions, origin.bits.data(), dense ? &origin : nullptr,
                                origin.count > 0 && !dense, false};
        }
        for (std::size_t s = 0; s < sources && stands; ++s) {
          to[s * kSteps + t] = {nullptr, nullptr, nullptr, false, true};
        }
      }
    }
  }

  // Timestep by timestep, since what lies next to each other in memory is read together.
  void list(std::size_t s, std::size_t block) {
    const Source& source = plan_.sources[s];
    Lists& lists = memory_.lists[s];
    const auto stride = source.chunks() + 1;
    const auto room = count_ * steps_ * source.entries() + 2 * kListSlack;
    if (lists.place.size() < room) lists.place.resize(room);
    if (!source.unit() && lists.value.size() < room) lists.value.resize(room);
    lists.ends.resize(count_ * steps_ * stride);
    memory_.first_bits.resize(count_);
    memory_.first_emission.resize(count_);
    for (std::size_t i = 0; i < count_; ++i) {
      memory_.first_bits[i] = source.first_bits(site(i), block);
      memory_.first_emission[i] = source.first_emission(site(i), block);
    }
    const Window window{source.pieces().data(), source.pieces().size()};
    const auto ends_pitch = steps_ * stride;
    std::uint32_t listed = 0;
    for (std::size_t t = 0; t < steps_; ++t) {
      for (std::size_t i = 0; i < count_;) {  // the sites of one sample at a time
        const auto run = std::min(sites_.count - site(i), count_ - i);
        const Step& now = step(i, s, t);
        auto* ends = lists.ends.data() + i * ends_pitch + t * stride;
        if (now.listed) {
          const Places places{&memory_.first_bits[i], &memory_.first_emission[i], run};
          float* value = source.unit() ? nullptr : lists.value.data() + listed;
          listed += static_cast<std::uint32_t>(kernels().list_windows(
              now.bits, source.stream(now.emissions), places, window,
              lists.place.data() + listed, value, ends, ends_pitch, listed));
        } else {
          for (std::size_t k = 0; k < run; ++k) std::fill_n(ends + k * ends_pitch, stride, listed);
        }
        i += run;
      }
    }
  }

  void integrate(std::size_t block) {
    if (memory_.sums.size() < count_ * pitch()) memory_.sums.resize(count_ * pitch());
    memory_.driven.assign(count_ * steps_, 0);
    bool fresh = true;
    for (std::size_t s = 0; s < plan_.sources.size(); ++s) {
      if (plan_.sources[s].listed()) add_lists(s, block, fresh);
    }
    if (fresh) std::fill_n(memory_.sums.data(), count_ * pitch(), 0.0F);
    add_sites(block, false);
    if (!plan_.scale.empty()) {  // whole numbers so far; what follows is current already
      kernels().scale_sums(plan_.scale.data() + block * kRowLanes, memory_.driven.data(), count_,
                           steps_, pitch(), memory_.sums.data());
    }
    add_sites(block, true);
    for (std::size_t i = 0; i < count_; ++i) {
      const Step* steps_of = &step(i, 0, 0);
      for (std::size_t t = 1; t < steps_; ++t) {
        if (!steps_of[t].stands) continue;
        std::copy_n(sums(i, t - 1), kRowLanes, sums(i, t));
        memory_.driven[i * steps_ + t] = memory_.driven[i * steps_ + t - 1];
      }
    }
  }

  // What is added timestep by timestep: dense steps, or else emissions that are currents.
  void add_sites(std::size_t block, bool currents) {
    for (std::size_t s = 0; s < plan_.sources.size(); ++s) {
      for (std::size_t i = 0; i < count_;) {  // the sites of one row of one sample at a time
        const auto run = std::min(sites_.across - site(i) % sites_.across, count_ - i);
        for (std::size_t t = 0; t < steps_ && plan_.sources[s].current() == currents; ++t) {
          if (currents) add_current(i, run, s, t, block);
          if (step(i, s, t).plane != nullptr) add_plane(i, run, s, t, block);
        }
        i += run;
      }
    }
  }

  void add_lists(std::size_t s, std::size_t block, bool& fresh) {
    const Source& source = plan_.sources[s];
    const Lists& from = memory_.lists[s];
    const auto stride = source.chunks() + 1;
    const EventLists lists{from.place.data(), from.value.data(), from.ends.data(), stride,
                           count_,            steps_,            pitch(),          source.unit()};
    for (std::size_t chunk = 0; chunk < source.chunks(); ++chunk) {
      float* sums = memory_.sums.data();
      source.bytes()
          ? kernels().add_int8_lists(lists, chunk, source.byte_table(block, chunk), fresh, sums)
          : kernels().add_lists(lists, chunk, source.table(block, chunk), fresh, sums);
      fresh = false;
    }
    for (std::size_t i = 0; i < count_ * steps_; ++i) {
      const auto* ends = from.ends.data() + i * stride;
      memory_.driven[i] |= ends[source.chunks()] != ends[0] ? 1 : 0;
    }
  }

  void add_current(std::size_t i, std::size_t run, std::size_t s, std::size_t t,
                   std::size_t block) {
    const Source& source = plan_.sources[s];
    const void* emissions = step(i, s, t).emissions;
    char* driven = memory_.driven.data() + i * steps_ + t;
    const auto* codes = static_cast<const std::int8_t*>(emissions) + place_in_step(i, block);
    const bool adjacent = kept(block) == plan_.output.channels && plan_.output.width % sites_.shared == 0;
    if (source.stream(emissions).codes && kept(block) == sites_.channels) {
      if (adjacent) {
        kernels().add_current(codes, run, source.quanta(block), sums(i, t), pitch(), driven, steps_);
        return;
      }
      for (std::size_t k = 0; k < run && sites_.shared == 1; ++k) {
        kernels().add_current(codes + k * plan_.output.channels, 1, source.quanta(block),
                              sums(i + k, t), pitch(), driven + k * steps_, steps_);
      }
      if (sites_.shared == 1) return;
    }
    for (std::size_t k = 0; k < run; ++k) {
      const bool any = source.add_current(emissions, block, site(i + k), sums(i + k, t));
      if (any) driven[k * steps_] = 1;
    }
  }

  void add_plane(std::size_t i, std::size_t run, std::size_t s, std::size_t t, std::size_t block) {
    plan_.sources[s].add_plane(*step(i, s, t).plane, block, site(i), run, sums(i, t), pitch());
    for (std::size_t k = i; k < i + run; ++k) memory_.driven[k * steps_ + t] = 1;
  }

  // Floats from site to site: not a power of two, or all sites would share a line of the cache.
  std::size_t pitch() const { return steps_ * kRowLanes + 16; }

  float* sums(std::size_t i, std::size_t t) {
    return memory_.sums.data() + i * pitch() + t * kRowLanes;
  }

  void finish(std::size_t block) {
    if (call_.form == Form::currents) {
      for (std::size_t i = 0; i < count_; ++i) put_currents(i, block);
      return;
    }
    const bool codes = call_.form == Form::codes;
    codes ? memory_.codes.resize(steps_ * count_ * kRowLanes)
          : memory_.values.resize(steps_ * count_ * kRowLanes);
    if (call_.rows->pixel_stride == 0) load_rows(0, block);
    for (std::size_t i = 0; i < count_; ++i) {
      if (call_.rows->pixel_stride != 0) load_rows(i, block);
      const Rows rows{inverse_, drive_, slope_};
      const Emitted to{codes ? memory_.codes.data() + i * kRowLanes : nullptr,
                       codes ? nullptr : memory_.values.data() + i * kRowLanes,
                       count_ * kRowLanes};
      LaneState& state = memory_.states[(block - part_.first_block) * count_ + i];
      if (first_step_ == 0) each_pixel(i, block, state, [&](auto... at) { call_.state.load(at...); });
      kernels().advance_through(call_.law, rows, gains_, steps_, sums(i, 0),
                                memory_.driven.data() + i * steps_, state, to);
      if (first_step_ + steps_ < call_.timesteps) continue;
      each_pixel(i, block, state, [&](auto... at) { call_.state.store(at...); });
    }
    codes ? put(memory_.codes.data(), static_cast<std::int8_t*>(call_.out), block)
          : put(memory_.values.data(), static_cast<float*>(call_.out), block);
  }

  // Calls visit(place, n, charge, count) for the neurons of each pixel of a site.
  template <typename Visit>
  void each_pixel(std::size_t i, std::size_t block, LaneState& state, const Visit& visit) const {
    const auto place = (call_.first + slot(i)) * plan_.output.size() + place_in_step(i, block);
    for (std::size_t p = 0; p < pixels(i); ++p) {
      const auto lane = p * sites_.channels;
      visit(place + p * plan_.output.channels, kept(block), state.charge + lane, state.count + lane);
    }
  }

  // Parameters of the neurons of a site.
  void load_rows(std::size_t i, std::size_t block) {
    const auto& rows = *call_.rows;
    const auto width = plan_.output.width;
    for (std::size_t p = 0; p < sites_.shared; ++p) {
      const auto x = std::min(sites_.column(site(i)) + p, width - 1);
      const auto pixel = sites_.row(site(i)) * width + x;
      const auto from = pixel * rows.pixel_stride + block * sites_.channels;
      std::copy_n(&rows.inverse[from], sites_.channels, inverse_ + p * sites_.channels);
      std::copy_n(&rows.drive[from], sites_.channels, drive_ + p * sites_.channels);
      std::copy_n(&rows.slope[from], sites_.channels, slope_ + p * sites_.channels);
    }
  }

  std::size_t kept(std::size_t block) const {
    return std::min(sites_.channels, plan_.output.channels - block * sites_.channels);
  }
  std::size_t pixels(std::size_t i) const {
    return std::min(sites_.shared, plan_.output.width - sites_.column(site(i)));
  }

  // Index of the first channel of a site in one timestep of a sample, and in the whole output.
  std::size_t place_in_step(std::size_t i, std::size_t block) const {
    const auto pixel = sites_.row(site(i)) * plan_.output.width + sites_.column(site(i));
    return pixel * plan_.output.channels + block * sites_.channels;
  }
  std::size_t place(std::size_t i, std::size_t t, std::size_t block) const {
    const auto row = (first_step_ + t) * call_.samples + call_.first + slot(i);
    return row * plan_.output.size() + place_in_step(i, block);
  }

  // Moves the emissions of the tile to the output, timestep by timestep.
  template <typename T>
  void put(const T* from, T* out, std::size_t block) const {
    const auto& output = plan_.output;
    for (std::size_t i = 0; i < count_;) {  // the sites of one sample at a time
      const auto run = std::min(sites_.count - site(i), count_ - i);
      const bool adjacent = kept(block) == output.channels && kept(block) == sites_.channels &&
                            output.width % sites_.shared == 0;
      for (std::size_t t = 0; t < steps_; ++t) {
        const T* row = from + (t * count_ + i) * kRowLanes;
        if (adjacent) {
          std::copy_n(row, run * kRowLanes, out + place(i, t, block));
          continue;
        }
        for (std::size_t k = i; k < i + run; ++k, row += kRowLanes) {
          T* to = out + place(k, t, block);
          for (std::size_t p = 0; p < pixels(k); ++p) {
            std::copy_n(row + p * sites_.channels, kept(block), to + p * output.channels);
          }
        }
      }
      i += run;
    }
  }

  void put_currents(std::size_t i, std::size_t block) {
    const auto& output = plan_.output;
    const auto pixel = sites_.row(site(i)) * output.width + sites_.column(site(i));
    for (std::size_t t = 0; t < steps_; ++t) {
      const auto step = (first_step_ + t) * call_.samples + call_.first + slot(i);
      const float* from = sums(i, t);
      for (std::size_t c = 0; c < kept(block); ++c) {
        const auto channel = step * output.channels + block * sites_.channels + c;
        float* to = static_cast<float*>(call_.out) + channel * output.pixels() + pixel;
        for (std::size_t p = 0; p < pixels(i); ++p) to[p] = from[p * sites_.channels + c];
      }
    }
  }

  const Call& call_;
  const LayerPlan& plan_;
  const Sites& sites_;
  const Part part_;
  Workspace& memory_;
  std::size_t count_;
  std::size_t first_step_ = 0, steps_ = 0;
  float gains_[kSteps];
  alignas(64) float inverse_[kRowLanes], drive_[kRowLanes], slope_[kRowLanes];
};

}  // namespace

std::size_t sites_of_part(const Call& call) {
  const auto steps = std::min(kSteps, call.timesteps);
  std::size_t rows = 1;
  for (const auto& source : call.plan.sources) rows = std::max(rows, source.entries());
  const auto most = std::min(kListsOfPart, kEntriesOfPart / rows);
  return std::max<std::size_t>(1, most / steps);
}

void run_part(const Call& call, const Part& part, Workspace& memory) {
  Tile(call, part, memory).run();
}

}  // namespace onnx2snn
